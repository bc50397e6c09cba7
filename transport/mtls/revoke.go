package mtls

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
)

// RevocationList is a revocation list of the authority's that names these serial numbers, PEM encoded.
func (a *Authority) RevocationList(serialNumbers ...*big.Int) ([]byte, error) {
	now := a.now()
	template := &x509.RevocationList{Number: big.NewInt(now.UnixNano()), ThisUpdate: now.Add(-maxBackdate), NextUpdate: now.Add(rootLifetime)}
	for _, n := range serialNumbers {
		template.RevokedCertificateEntries = append(template.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: n, RevocationTime: now})
	}
	der, err := x509.CreateRevocationList(rand.Reader, template, a.root, a.key)
	if err != nil {
		return nil, fmt.Errorf("making a revocation list: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockCRL, Bytes: der}), nil
}
