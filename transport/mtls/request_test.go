package mtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func TestNewCSR(t *testing.T) {
	text, key, err := NewCSR(alice)
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE REQUEST" || len(rest) > 0 {
		t.Fatalf("not one PEM block CERTIFICATE REQUEST: %s", text)
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.CheckSignature(); err != nil {
		t.Error(err)
	}
	if len(r.Subject.Names) > 0 {
		t.Errorf("subject %s: want it empty", r.Subject)
	}
	if len(r.Extensions) != 1 || !r.Extensions[0].Critical || !r.Extensions[0].Id.Equal(oidSubjectAltName) {
		t.Errorf("extensions %v: want a critical subjectAltName alone", r.Extensions)
	}
	if len(r.URIs) != 1 || r.URIs[0].String() != alice.String() || len(r.DNSNames)+len(r.IPAddresses)+len(r.EmailAddresses) > 0 {
		t.Errorf("names %v %v %v: want %s alone", r.URIs, r.DNSNames, r.IPAddresses, alice)
	}
	pub, ok := r.PublicKey.(*ecdsa.PublicKey)
	if !ok || pub.Curve != elliptic.P256() || !pub.Equal(key.Public()) || r.SignatureAlgorithm != x509.ECDSAWithSHA256 {
		t.Errorf("key %T, signature %s", r.PublicKey, r.SignatureAlgorithm)
	}
}

func TestNewCSRMakesFreshKeys(t *testing.T) {
	_, one, err := NewCSR(alice)
	if err != nil {
		t.Fatal(err)
	}
	_, two, err := NewCSR(alice)
	if err != nil {
		t.Fatal(err)
	}
	if one.Equal(two) {
		t.Fatal("the same key twice")
	}
}

func TestNewCSROfEmptyParts(t *testing.T) {
	if _, _, err := NewCSR(messages.Identity{}); err != nil {
		t.Fatal(err)
	}
}
