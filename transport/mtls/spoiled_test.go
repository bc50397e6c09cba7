package mtls

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"
)

// requestPEM is a certificate request that NewCSR would not make.
func requestPEM(t *testing.T, edit func(*x509.CertificateRequest)) []byte {
	t.Helper()
	r := new(x509.CertificateRequest)
	edit(r)
	der, err := x509.CreateCertificateRequest(rand.Reader, r, newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockRequest, Bytes: der})
}

func withURIs(uris ...string) func(*x509.CertificateRequest) {
	return func(r *x509.CertificateRequest) {
		r.ExtraExtensions = []pkix.Extension{{Id: oidSubjectAltName, Value: sanOf(uris...)}}
	}
}

func spoilSignature(t *testing.T, csrPEM []byte) []byte {
	t.Helper()
	block, _ := pem.Decode(csrPEM)
	block.Bytes[len(block.Bytes)-1] ^= 1
	return pem.EncodeToMemory(block)
}
