package mtls

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/troupe-mesh/troupe/messages"
)

// Issue signs a certificate request, PEM encoded, and returns the leaf and the root in the form of a CA's answer
// (spec/control.md §5.3, §5.7). The request must be signed by its own key and name one SPIFFE id and nothing else.
func (a *Authority) Issue(csrPEM []byte) ([]string, error) {
	request, id, err := parseRequest(csrPEM)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	san, err := uriSAN(id)
	if err != nil {
		return nil, fmt.Errorf("naming %s in a certificate: %w", id, err)
	}
	now := a.now()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{organization}},
		NotBefore:             now.Add(-min(maxBackdate, a.lifetime/100)),
		NotAfter:              now.Add(a.lifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		ExtraExtensions:       []pkix.Extension{{Id: oidSubjectAltName, Value: san}},
	}, a.root, request.PublicKey, a.key)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate for %s: %w", id, err)
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: der})
	return []string{string(leaf), a.rootPEM}, nil
}

func parseRequest(csrPEM []byte) (*x509.CertificateRequest, messages.Identity, error) {
	block, _ := pem.Decode(csrPEM)
	if block == nil || block.Type != blockRequest {
		return nil, messages.Identity{}, fmt.Errorf("want a PEM block %s", blockRequest)
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, messages.Identity{}, err
	}
	if err := request.CheckSignature(); err != nil {
		return nil, messages.Identity{}, err
	}
	id, err := requestedIdentity(request)
	return request, id, err
}

func requestedIdentity(request *x509.CertificateRequest) (messages.Identity, error) {
	if len(request.DNSNames)+len(request.EmailAddresses)+len(request.IPAddresses) > 0 {
		return messages.Identity{}, errors.New("names something else than a SPIFFE id")
	}
	for _, e := range request.Extensions {
		if !e.Id.Equal(oidSubjectAltName) {
			continue
		}
		uris, err := uriNames(e.Value)
		if err != nil {
			return messages.Identity{}, err
		}
		if len(uris) != 1 {
			return messages.Identity{}, fmt.Errorf("names %d URIs: want one SPIFFE id", len(uris))
		}
		return messages.ParseIdentity(uris[0])
	}
	return messages.Identity{}, errors.New("names no SPIFFE id")
}
