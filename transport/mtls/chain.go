package mtls

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// Bounds of a CA's answer. Real ones have two to four elements and a handful of roots.
const (
	maxChainElements = 16
	maxRoots         = 128
)

// ParseChain makes a certificate for id of a CA's answer (spec/control.md §5.3): the first element is the leaf, the
// last the root bundle, those between are intermediates. Only the first PEM block of leaf and intermediates counts;
// every block of the bundle does. A block that is no certificate fails the whole answer, as does a key that is not
// the leaf's. Whose certificate it is goes unchecked here, see CheckIdentity.
func ParseChain(id messages.Identity, key crypto.Signer, chainPEM []string) (*Certificate, error) {
	switch n := len(chainPEM); {
	case n == 0:
		return nil, &EmptyChainError{Identity: id}
	case n == 1:
		return nil, fmt.Errorf("chain returned from CA for %s has no root: want the leaf first and the roots last", id)
	case n > maxChainElements:
		return nil, fmt.Errorf("chain returned from CA for %s has %d elements: want at most %d", id, n, maxChainElements)
	}
	last := len(chainPEM) - 1
	presented := make([]*x509.Certificate, last)
	for i, p := range chainPEM[:last] {
		c, _, err := nextCertificate([]byte(p))
		if err != nil {
			return nil, fmt.Errorf("chain returned from CA for %s, element %d: %w", id, i, err)
		}
		presented[i] = c
	}
	roots, err := parseRoots([]byte(chainPEM[last]))
	if err != nil {
		return nil, fmt.Errorf("chain returned from CA for %s, roots: %w", id, err)
	}
	if err := matches(presented[0], key); err != nil {
		return nil, fmt.Errorf("chain returned from CA for %s: %w", id, err)
	}
	return newCertificate(id, key, presented, roots), nil
}

func newCertificate(id messages.Identity, key crypto.Signer, presented, roots []*x509.Certificate) *Certificate {
	c := &Certificate{
		Identity:      id,
		NotBefore:     presented[0].NotBefore,
		leaf:          presented[0],
		intermediates: presented[1:],
		roots:         roots,
		key:           key,
		pair:          tls.Certificate{PrivateKey: key, Leaf: presented[0]},
		trustDomain:   id.TrustDomain,
	}
	for _, p := range presented {
		c.pair.Certificate = append(c.pair.Certificate, p.Raw)
	}
	if ids := Identities(c.leaf); len(ids) > 0 {
		c.trustDomain = ids[0].TrustDomain
	}
	c.anchors, c.Skipped = newAnchors(roots)
	c.NotAfter = chainEnd(presented, c.anchors)
	return c
}

// chainEnd is the last moment at which the leaf is valid by some path to an anchor. A chain that is valid at none ends with
// its leaf: whether it is any good is not asked here.
func chainEnd(presented []*x509.Certificate, to *anchors) time.Time {
	leaf := presented[0]
	ends, pool := []time.Time{leaf.NotAfter}, x509.NewCertPool()
	for _, p := range presented[1:] {
		pool.AddCert(p)
		if p.NotAfter.Before(leaf.NotAfter) {
			ends = append(ends, p.NotAfter)
		}
	}
	if len(ends) == 1 {
		return leaf.NotAfter
	}
	slices.SortFunc(ends, func(a, b time.Time) int { return b.Compare(a) })
	for _, end := range ends {
		options := x509.VerifyOptions{
			Roots: to.pool, Intermediates: pool, CurrentTime: end, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		}
		if _, err := leaf.Verify(options); err == nil {
			return end
		}
	}
	return leaf.NotAfter
}

func parseRoots(bundle []byte) ([]*x509.Certificate, error) {
	var roots []*x509.Certificate
	for rest := bundle; ; {
		c, more, err := nextCertificate(rest)
		if errors.Is(err, errNoBlock) && len(roots) > 0 {
			return roots, nil
		}
		if err != nil {
			return nil, err
		}
		if len(roots) == maxRoots {
			return nil, fmt.Errorf("more than %d roots", maxRoots)
		}
		roots, rest = append(roots, c), more
	}
}

var errNoBlock = errors.New("no PEM block")

func nextCertificate(p []byte) (*x509.Certificate, []byte, error) {
	block, rest := pem.Decode(p)
	if block == nil {
		return nil, nil, errNoBlock
	}
	if block.Type != blockCertificate {
		return nil, nil, fmt.Errorf("PEM block %q: want %s", block.Type, blockCertificate)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("parsing certificate: %w", err)
	}
	return c, rest, nil
}

func matches(leaf *x509.Certificate, key crypto.Signer) error {
	if key == nil {
		return errors.New("no private key")
	}
	pub, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !pub.Equal(leaf.PublicKey) {
		return errors.New("the leaf is not for our private key")
	}
	return nil
}
