package flow

import (
	"crypto/tls"
	"slices"
	"time"

	"github.com/troupe-mesh/troupe/actors/flow/failure"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// doubleLeg opens a stream to the network gateway, and in it a tunnel of its own to the remote end (spec/dataplane.md
// §2.10). The inner tunnel is never pooled: pooling would pin all traffic to one remote endpoint.
func (t *tunnel) doubleLeg(client *hbone.Client, outer []hbone.Header) func(*leg) any {
	conn, authority, socks := t.entry.Conn, t.request.Authority.String(), t.socks
	deadline := t.Settings.ConnectDeadline
	inner := append(slices.Clone(outer), hbone.Header{Name: headerForwardedNetwork, Value: t.Settings.Network})
	certificate := t.certificate
	config := certificate.ClientConfig(t.request.InnerIdentities, t.Deps.TLS)
	return func(l *leg) any {
		start := time.Now()
		fail := func(f *messages.Failure, keep bool) any {
			socks.failed(f)
			closeConn(conn)
			return l.failed(start, f, keep)
		}
		outerStream, _, f := l.open(client, authority, outer)
		if f != nil {
			return fail(f, false)
		}
		if !l.add(outerStream) {
			return fail(messages.Fail(messages.ReasonCancelled, errCut.Error()), false)
		}
		secured := tls.Client(hbone.Coalesce(outerStream), config)
		_ = secured.SetDeadline(start.Add(deadline))
		if err := secured.HandshakeContext(l.ctx); err != nil {
			closeConn(outerStream)
			t.Telemetry.HandshakeRefused(messages.Outbound, err)
			return fail(failure.Handshake(err), false)
		}
		_ = secured.SetDeadline(time.Time{})
		tunnel, err := hbone.NewClient(secured, t.Deps.HBONE)
		if err != nil {
			closeConn(outerStream)
			return fail(messages.FailWith(messages.ReasonH2Handshake, "http2 handshake failed: ", err), false)
		}
		stream, answer, f := l.open(tunnel, authority, inner)
		if f != nil {
			tunnel.CloseWhenIdle()
			return fail(f, answer != nil && keeps(answer))
		}
		tunnel.CloseWhenIdle()
		peer, _ := mtls.PeerIdentity(secured.ConnectionState())
		l.inner = certificate.Server(secured.ConnectionState(), t.Deps.TLS)
		return l.carryStream(start, conn, stream, answer, socks, peer)
	}
}
