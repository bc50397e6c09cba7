package mtls

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// Certificate is a workload's certificate with its key, its intermediates and the roots that its peers are verified
// against. It is frozen and safe for concurrent use; ParseChain makes it.
type Certificate struct {
	// Identity is who the certificate was asked for.
	Identity messages.Identity
	// NotBefore is where the leaf's validity begins; NotAfter is where it ends, or that of the intermediates that it needs, if
	// they end before: no peer accepts it later.
	NotBefore, NotAfter time.Time
	// Skipped says which delivered roots are not used as trust anchors, and why.
	Skipped []error

	leaf          *x509.Certificate
	intermediates []*x509.Certificate
	roots         []*x509.Certificate
	anchors       *anchors
	key           crypto.Signer
	pair          tls.Certificate
	trustDomain   string
	servers       [serverVariants]atomic.Pointer[serverVariant]
}

// Leaf is the certificate itself.
func (c *Certificate) Leaf() *x509.Certificate { return c.leaf }

// SerialNumber is the leaf's serial number in decimal.
func (c *Certificate) SerialNumber() string { return c.leaf.SerialNumber.String() }

// PrivateKey is the key in PKCS#8, PEM encoded.
func (c *Certificate) PrivateKey() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.key)
	if err != nil {
		return nil, fmt.Errorf("encoding the key of %s: %w", c.Identity, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: blockPrivateKey, Bytes: der}), nil
}

// RefreshAt is when half of the certificate's life is over: the time to have a new one (spec/control.md §5.5).
func (c *Certificate) RefreshAt() time.Time { return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 2) }

// RefreshAfter is how long from now to RefreshAt. It is zero when that has passed, and for a certificate that is not
// valid yet.
func (c *Certificate) RefreshAfter(now time.Time) time.Duration {
	if now.Before(c.NotBefore) {
		return 0
	}
	return max(0, c.RefreshAt().Sub(now))
}

// Expired reports whether NotAfter has passed at now.
func (c *Certificate) Expired(now time.Time) bool { return now.After(c.NotAfter) }

// CheckIdentity returns a *WrongIdentityError unless the leaf's first URI is the identity that was asked for. It is
// for a CA that was asked on behalf of another workload (spec/control.md §5.3).
func (c *Certificate) CheckIdentity() error {
	if ids := Identities(c.leaf); len(ids) > 0 && ids[0] == c.Identity {
		return nil
	}
	return &WrongIdentityError{Identity: c.Identity}
}

// Chain is the leaf and the intermediates for the admin page.
func (c *Certificate) Chain() []messages.CertificatePEM {
	return dump(append([]*x509.Certificate{c.leaf}, c.intermediates...))
}

// Roots are the delivered roots for the admin page, the skipped ones included.
func (c *Certificate) Roots() []messages.CertificatePEM { return dump(c.roots) }

func dump(certs []*x509.Certificate) []messages.CertificatePEM {
	out := make([]messages.CertificatePEM, len(certs))
	for i, c := range certs {
		out[i] = messages.CertificatePEM{
			PEM:          pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: c.Raw}),
			SerialNumber: c.SerialNumber.String(),
			NotBefore:    c.NotBefore,
			NotAfter:     c.NotAfter,
		}
	}
	return out
}
