package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// verifyChain checks that the peer's chain leads to one of our anchors at now, may be used for usage and is not revoked.
// Extended key usage counts only where there is one. Of several ways to an anchor one that is not revoked is enough.
func (c *Certificate) verifyChain(peer []*x509.Certificate, usage x509.ExtKeyUsage, now time.Time, lists *RevocationLists) error {
	if len(peer) == 0 {
		return errors.New("peer sent no certificate")
	}
	if c.anchors.count == 0 {
		return ErrNoTrustAnchor
	}
	if peer[0].BasicConstraintsValid && peer[0].IsCA {
		return errors.New("a CA certificate was presented as a workload's")
	}
	o := x509.VerifyOptions{Roots: c.anchors.pool, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}}
	if len(peer) > 1 {
		o.Intermediates = x509.NewCertPool()
		for _, p := range peer[1:] {
			o.Intermediates.AddCert(p)
		}
	}
	chains, err := peer[0].Verify(o)
	if err != nil || lists == nil {
		return err
	}
	var refused error
	for _, chain := range chains {
		if err := lists.check(chain); err == nil {
			return nil
		} else if refused == nil {
			refused = err
		}
	}
	return refused
}

// verifyClient is a server's check of its client.
func (c *Certificate) verifyClient(cs tls.ConnectionState, o Options) error {
	if err := c.verifyChain(cs.PeerCertificates, x509.ExtKeyUsageClientAuth, o.now(), o.Revocations.lists()); err != nil {
		return &PeerError{Err: err}
	}
	ids := Identities(cs.PeerCertificates[0])
	if len(ids) == 0 || ids[0].TrustDomain != c.trustDomain {
		return &PeerError{Err: &TrustDomainError{Expected: c.trustDomain, Presented: ids}}
	}
	return nil
}

// verifyServer is a client's check of its server.
func (c *Certificate) verifyServer(cs tls.ConnectionState, expected []messages.Identity, o Options) error {
	if err := c.verifyChain(cs.PeerCertificates, x509.ExtKeyUsageServerAuth, o.now(), o.Revocations.lists()); err != nil {
		return &PeerError{Err: err}
	}
	ids := Identities(cs.PeerCertificates[0])
	if !slices.ContainsFunc(ids, func(id messages.Identity) bool { return slices.Contains(expected, id) }) {
		return &PeerError{Err: &SANError{Expected: expected, Presented: ids}}
	}
	return nil
}
