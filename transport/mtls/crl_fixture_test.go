package mtls

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"testing"
	"time"
)

// revoke is a list of by's, in DER, that names certs; edit may spoil it.
func revoke(t testing.TB, by *issuer, edit func(*x509.RevocationList), certs ...*issuer) []byte {
	t.Helper()
	template := &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour),
	}
	for _, c := range certs {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: c.cert.SerialNumber, RevocationTime: time.Now().Add(-time.Minute)})
	}
	if edit != nil {
		edit(template)
	}
	signer := *by.cert
	signer.KeyUsage |= x509.KeyUsageCRLSign // the maker would refuse what the checker must
	der, err := x509.CreateRevocationList(rand.Reader, template, &signer, by.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func crlPEM(ders ...[]byte) []byte {
	var all []byte
	for _, der := range ders {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: blockCRL, Bytes: der})...)
	}
	return all
}

// extension adds one to a list.
func extension(oid asn1.ObjectIdentifier, critical bool, value []byte) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: oid, Critical: critical, Value: value})
	}
}

// point is an issuingDistributionPoint.
func point(t testing.TB, p issuingPoint, uris ...string) func(*x509.RevocationList) {
	t.Helper()
	for _, u := range uris {
		p.Point.Full = append(p.Point.Full, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(u)})
	}
	der, err := asn1.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return extension(oidIssuingPoint, true, der)
}

func lists(t testing.TB, content []byte) *RevocationLists {
	t.Helper()
	l, err := ParseRevocationLists(content)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// crlFile is a file of that content and what watches it.
func crlFile(t testing.TB, content []byte) (path string, r *Revocations) {
	t.Helper()
	path = t.TempDir() + "/ca-crl.pem"
	writeCRL(t, path, content)
	r, err := NewRevocations(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, r
}

func writeCRL(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}
