package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// Peer is the other end of a tunnel whose handshake was accepted. It is kept to be judged again when the revocation lists
// change (spec/dataplane.md §14): by the roots and at the time of the handshake, so that what has expired since then
// hides nothing. It is frozen.
type Peer struct {
	certificate *Certificate
	chain       []*x509.Certificate
	usage       x509.ExtKeyUsage
	accepted    time.Time
	revocations *Revocations
}

// Server is the server of a handshake that c was the client's certificate of, Client the client of one that c was the
// server's of. They are nil when o has no revocation lists: then nobody is judged again.
func (c *Certificate) Server(cs tls.ConnectionState, o Options) *Peer {
	return c.peer(cs, x509.ExtKeyUsageServerAuth, o)
}

// Client is the client of a handshake, see Server.
func (c *Certificate) Client(cs tls.ConnectionState, o Options) *Peer {
	return c.peer(cs, x509.ExtKeyUsageClientAuth, o)
}

func (c *Certificate) peer(cs tls.ConnectionState, usage x509.ExtKeyUsage, o Options) *Peer {
	if o.Revocations == nil || len(cs.PeerCertificates) == 0 {
		return nil
	}
	return &Peer{certificate: c, chain: cs.PeerCertificates, usage: usage, accepted: o.now(), revocations: o.Revocations}
}

// Identity is the first SPIFFE id of the peer's certificate, zero when it has none.
func (p *Peer) Identity() messages.Identity {
	if ids := Identities(p.chain[0]); len(ids) > 0 {
		return ids[0]
	}
	return messages.Identity{}
}

// Judge says whether the peer would be refused for revocation now: the error is a *RevokedError, or nil. The version is
// that of the lists which were asked. Lists that name none of the certificates presented cost next to nothing.
func (p *Peer) Judge() (version uint64, err error) {
	lists := p.revocations.lists()
	if lists == nil {
		return 0, nil
	}
	if !lists.mayName(p.chain) {
		return lists.version, nil
	}
	verdict := p.certificate.verifyChain(p.chain, p.usage, p.accepted, lists)
	var revoked *RevokedError
	if errors.As(verdict, &revoked) {
		return lists.version, revoked
	}
	return lists.version, nil
}
