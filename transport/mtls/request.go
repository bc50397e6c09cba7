package mtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"

	"github.com/troupe-mesh/troupe/messages"
)

const (
	blockCertificate = "CERTIFICATE"
	blockRequest     = "CERTIFICATE REQUEST"
	blockPrivateKey  = "PRIVATE KEY"
)

// NewCSR makes a fresh P-256 key and a certificate request for id, in PEM: empty subject, SHA-256 signature, and one
// extension, a critical subjectAltName with the id as its only URI (spec/control.md §5.2).
func NewCSR(id messages.Identity) (csrPEM []byte, key *ecdsa.PrivateKey, err error) {
	san, err := uriSAN(id)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate request for %s: %w", id, err)
	}
	key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("making a key for %s: %w", id, err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		SignatureAlgorithm: x509.ECDSAWithSHA256,
		ExtraExtensions:    []pkix.Extension{{Id: oidSubjectAltName, Critical: true, Value: san}},
	}, key)
	if err != nil {
		return nil, nil, fmt.Errorf("making a certificate request for %s: %w", id, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockRequest, Bytes: der}), key, nil
}
