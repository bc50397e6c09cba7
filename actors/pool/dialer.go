package pool

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow/failure"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/socket"
)

var errRetired = errors.New("the tunnel's pool has ended")

// Dialer makes tunnels: TCP, TLS, HTTP/2 (spec/dataplane.md §3.5).
type Dialer struct {
	Network   socket.Network
	TLS       mtls.Options
	HBONE     hbone.Settings
	Telemetry *trace.Telemetry
	// Revocations is who tells of changed revocation lists; nil where there are none.
	Revocations *actor.PID
}

// dialed is what became of a dial.
type dialed struct {
	client   *hbone.Client
	peer     *mtls.Peer // nil where there are no revocation lists
	failure  *messages.Failure
	setupID  messages.TraceID
	setupRef messages.SpanID
}

// dial makes one tunnel. It blocks and runs on a goroutine of its own.
func (d *Dialer) dial(stopped context.Context, key messages.TunnelKey, expected []messages.Identity, certificate *mtls.Certificate, deadline time.Duration) dialed {
	ctx, cancel := context.WithTimeout(stopped, deadline)
	defer cancel()
	setup := trace.TunnelSetup{Peer: key.Dial, Start: time.Now()}
	client, peer, f := d.connect(ctx, key, expected, certificate, &setup)
	if client != nil && stopped.Err() != nil { // nobody waits for it any more
		client.Abort(errRetired)
		<-client.Done()
		client, f = nil, messages.FailWith(messages.ReasonPoolDraining, "", errRetired)
	}
	setup.End = time.Now()
	setup.Failure = f
	out := dialed{client: client, peer: peer, failure: f}
	out.setupID, out.setupRef = d.Telemetry.ConnectionSetup(setup)
	return out
}

func (d *Dialer) connect(ctx context.Context, key messages.TunnelKey, expected []messages.Identity, certificate *mtls.Certificate, setup *trace.TunnelSetup) (*hbone.Client, *mtls.Peer, *messages.Failure) {
	if certificate == nil {
		return nil, nil, messages.Fail(messages.ReasonIdentityUnavailable, "identity error: no certificate to dial "+key.Dial.String()+" with")
	}
	conn, err := d.Network.Dial(ctx, key.Dial, socket.DialOptions{})
	setup.Connected = time.Now()
	if err != nil {
		return nil, nil, failure.HBONEDial(err)
	}
	secured := tls.Client(hbone.Coalesce(conn), certificate.ClientConfig(expected, d.TLS))
	err = secured.HandshakeContext(ctx)
	setup.Secured = time.Now()
	if err != nil {
		_ = conn.Close()
		d.Telemetry.HandshakeRefused(messages.Outbound, err)
		return nil, nil, failure.Handshake(err)
	}
	state := secured.ConnectionState()
	setup.TLSVersion, setup.TLSCipher, setup.TLSCurve = tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite), state.CurveID.String()
	client, err := hbone.NewClient(secured, d.HBONE)
	if err != nil {
		_ = secured.Close()
		return nil, nil, messages.FailWith(messages.ReasonH2Handshake, "http2 handshake failed: ", err)
	}
	return client, certificate.Server(state, d.TLS), nil
}
