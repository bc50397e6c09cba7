package istiod

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// backdate is how far before now certificates of istiod begin.
const backdate = 2 * time.Minute

// Issuer is a certificate authority: a root, or an intermediate.
type Issuer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	parent      *Issuer // nil for a root
}

// NewIssuer makes one under a parent, or a root where that is nil.
func NewIssuer(name string, parent *Issuer) (*Issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of %s: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-backdate), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	above, by := template, key
	if parent != nil {
		above, by = parent.certificate, parent.key
	}
	i := &Issuer{key: key, parent: parent}
	i.certificate, err = issue(template, above, key.Public(), by)
	return i, err
}

// Leaf is a workload's certificate, as PEM: it begins that long before now and lives for lifetime after.
func (i *Issuer) Leaf(of crypto.PublicKey, id messages.Identity, before, lifetime time.Duration) (string, error) {
	name, err := url.Parse(id.String())
	if err != nil {
		return "", fmt.Errorf("name %s: %w", id, err)
	}
	c, err := issue(&x509.Certificate{
		SerialNumber: serial(), NotBefore: time.Now().Add(-before), NotAfter: time.Now().Add(lifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true, URIs: []*url.URL{name},
	}, i.certificate, of, i.key)
	if err != nil {
		return "", err
	}
	return toPEM(c), nil
}

// PEM is the issuer's own certificate.
func (i *Issuer) PEM() string { return toPEM(i.certificate) }

// Revoke is a revocation list of the issuer's, as PEM.
func (i *Issuer) Revoke(serials ...*big.Int) (string, error) {
	list := &x509.RevocationList{Number: serial(), ThisUpdate: time.Now().Add(-backdate), NextUpdate: time.Now().AddDate(0, 1, 0)}
	for _, n := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: n, RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, i.certificate, i.key)
	if err != nil {
		return "", fmt.Errorf("make a revocation list: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})), nil
}

func issue(template, parent *x509.Certificate, of crypto.PublicKey, by crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, of, by)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate: %w", err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the certificate just issued: %w", err)
	}
	return c, nil
}

func toPEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// serial draws a serial number of 120 bits.
func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(err) // the kernel gives no randomness: nothing works
	}
	return n.Add(n, big.NewInt(1))
}
