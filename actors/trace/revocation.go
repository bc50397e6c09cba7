package trace

import (
	"errors"
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// HandshakeRefused counts a handshake that our side ended with err, if it was for a revoked certificate of the peer's
// (spec/dataplane.md §14).
func (t *Telemetry) HandshakeRefused(d messages.Direction, err error) {
	var revoked *mtls.RevokedError
	if errors.As(err, &revoked) {
		t.metrics.CRLRejected(d)
	}
}

// PeerRevoked counts and tells of a tunnel that is cut because the certificate of its peer was revoked by why.
func (t *Telemetry) PeerRevoked(d messages.Direction, peer netip.AddrPort, id messages.Identity, why error) {
	t.metrics.CRLRejected(d)
	line := t.revocation.Warn("peer certificate revoked, closing its connection").
		Str(messages.FieldDirection, d.String()).AddrPort(messages.FieldAddress, peer)
	if !id.IsZero() {
		line = line.Str(messages.FieldIdentity, id.String())
	}
	line.Err(why).Send()
}

// PeerUntracked counts and tells of a tunnel that goes on though it will not be looked at again when revocation lists
// change.
func (t *Telemetry) PeerUntracked(d messages.Direction, peer netip.AddrPort, why string) {
	t.metrics.CRLUntracked(d)
	t.revocation.Warn("a connection is not tracked for revocation: "+why).
		Str(messages.FieldDirection, d.String()).AddrPort(messages.FieldAddress, peer).Send()
}
