package pod

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/flow/tracked"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// RoleSession is the role of a session.
const RoleSession = "session"

var errSessionEnded = errors.New("the session was ended")

// session is one HBONE connection of a peer (spec/dataplane.md §4.4). The pod hears of its end as its parent.
//
//	state        message               next
//	identifying  LocalWorkloadFound    identifying: asks for the certificate; or over
//	identifying  CertificateFetched    shaking hands; or over
//	handshake    secured               serving; or over
//	serving      Drain                 serving: says goodbye, ends when its streams do
//	serving      RevocationsChanged    serving; or cut, with all streams, because the peer is revoked now
//	any          ended, Stopping       over
type session struct {
	deps     *flow.Deps
	config   *Config
	conn     socket.Conn
	accepted *messages.ConnectionAccepted
	record   messages.Record
	asked    uint64
	local    *messages.Workload
	server   *hbone.Server
	own      *mtls.Certificate
	peer     *mtls.Peer // nil where there are no revocation lists
	tracked  tracked.Tunnels
	shaking  bool
	draining bool
	over     bool
	timer    *kit.Timer
}

// secured is the end of a TLS handshake. It owns the connection.
type secured struct {
	conn *tls.Conn
	err  error
}

// Undeliver closes a connection whose session has ended.
func (s *secured) Undeliver() { _ = s.conn.NetConn().Close() }

// ended is the end of an HTTP/2 connection; why it ended is neither logged nor counted (spec/dataplane.md §4.4).
type ended struct{}

// identityOverdue says that our own certificate did not come in time.
type identityOverdue struct{}

func sessionSpec(d *flow.Deps, c *Config, m *messages.ConnectionAccepted, conn socket.Conn) kit.Spec {
	return kit.Spec{
		Role: RoleSession, Capacity: 1024, Run: kit.CallerRuns(),
		New: func() actor.Actor { return &session{deps: d, config: c, accepted: m, conn: conn} },
	}
}

// Receive takes the session's messages.
func (s *session) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.started(ctx)
	case *messages.LocalWorkloadFound:
		s.localWorkloadFound(ctx, m)
	case *messages.CertificateFetched:
		s.certificateFetched(ctx, m)
	case *identityOverdue:
		s.identityOverdue(ctx)
	case *secured:
		s.secured(ctx, m)
	case *messages.Drain:
		s.drain(ctx, m)
	case *ended:
		s.ended(ctx)
	case *actor.Stopping, *actor.Restarting:
		s.stopping(ctx)
	case *messages.RevocationsChanged:
		s.judge(ctx)
	case *messages.RevocationsUnwatched:
		s.tracked.Unwatched(s.deps.Telemetry, messages.Inbound, s.accepted.Peer)
	case *tracked.Again:
		s.tracked.Retry(ctx)
	case *messages.Refused:
		s.undelivered(ctx)
	case *kit.Undelivered:
		if !s.tracked.Undelivered(ctx, m) {
			s.undelivered(ctx)
		}
	default:
		kit.Unknown(ctx)
	}
}

func (s *session) started(ctx actor.Context) {
	s.record = messages.Record{Direction: messages.Inbound, Src: s.accepted.Peer, Dst: s.accepted.Local}
	s.record.Start = s.accepted.At
	s.deps.Telemetry.Start(&s.record)
	settings := &s.deps.Settings
	s.timer = kit.After(ctx, settings.WorkloadWait+settings.StageDeadline, &identityOverdue{})
	q := &messages.FindLocalWorkload{Info: settings.Info, Wait: settings.WorkloadWait}
	s.asked++
	q.Number(s.asked, s.deps.System.Nanos())
	ctx.Request(s.deps.Stores.Workloads, q)
}

func (s *session) localWorkloadFound(ctx actor.Context, m *messages.LocalWorkloadFound) {
	if s.over || m.ID != s.asked {
		return
	}
	info := s.deps.Settings.Info
	if m.Workload == nil {
		s.deny(ctx, messages.Fail(messages.ReasonIdentityUnavailable, "signing error: workload is unknown: "+info.String()))
		return
	}
	s.local = m.Workload
	q := &messages.FetchCertificate{Identity: messages.Identity{
		TrustDomain: m.Workload.TrustDomain, Namespace: info.Namespace, ServiceAccount: info.ServiceAccount,
	}}
	s.asked++
	q.Number(s.asked, s.deps.System.Nanos())
	ctx.Request(s.deps.Stores.Certificates, q)
}

func (s *session) certificateFetched(ctx actor.Context, m *messages.CertificateFetched) {
	if s.over || m.ID != s.asked || s.shaking {
		return
	}
	certificate, ok := m.Certificate.(*mtls.Certificate)
	if m.Err != nil || !ok {
		text := "signing error: no certificate for " + m.Identity.String()
		if m.Err != nil {
			text = "signing error: " + m.Err.Error()
		}
		s.deny(ctx, messages.Fail(messages.ReasonIdentityUnavailable, text))
		return
	}
	s.timer.Stop()
	s.shaking = true
	s.own = certificate
	conn, deadline := tls.Server(hbone.Coalesce(s.conn), certificate.ServerConfig(s.deps.TLS)), s.config.Handshake
	kit.Go(ctx, func(stopped context.Context) any {
		bound, cancel := context.WithTimeout(stopped, deadline)
		defer cancel()
		return &secured{conn: conn, err: conn.HandshakeContext(bound)}
	})
}

func (s *session) identityOverdue(ctx actor.Context) {
	if !s.over && !s.shaking {
		s.deny(ctx, messages.Fail(messages.ReasonIdentityUnavailable, "signing error: the certificate did not arrive in time"))
	}
}

// undelivered ends a session whose question nobody took.
func (s *session) undelivered(ctx actor.Context) {
	if !s.over && !s.shaking {
		s.deny(ctx, messages.Fail(messages.ReasonStoreTimeout, "signing error: nobody took the session's question"))
	}
}

// secured starts serving the peer's streams: the HTTP/2 connection hands each to the pod.
func (s *session) secured(ctx actor.Context, m *secured) {
	switch {
	case s.over:
		_ = s.conn.Close()
		return
	case s.server != nil:
		return // it came twice: two that serve one connection would break it
	case m.err != nil:
		s.deps.Telemetry.HandshakeRefused(messages.Inbound, m.err)
		s.deny(ctx, &messages.Failure{
			Reason: messages.ReasonTLSHandshake, Text: "tls handshake error: " + socket.Text(m.err), Err: m.err,
		})
		return
	}
	state := m.conn.ConnectionState()
	identity, _ := mtls.PeerIdentity(state)
	opened := messages.StreamOpened{
		Peer: s.accepted.Peer, Local: s.accepted.Local, Identity: identity,
		TLSVersion: tls.VersionName(state.Version), TLSCipher: tls.CipherSuiteName(state.CipherSuite), TLSCurve: state.CurveID.String(),
	}
	pod, system := s.deps.Pod, s.deps.System
	server := hbone.NewServer(m.conn, s.config.ServerH2, func(stream *hbone.ServerStream) {
		one := &struct { // in one piece
			messages.StreamOpened
			claim messages.Claim
		}{StreamOpened: opened}
		one.Stream, one.At, one.Claim = stream, time.Now(), &one.claim
		system.Send(pod, &one.StreamOpened)
	})
	s.server = server
	s.peer, s.own = s.own.Client(state, s.deps.TLS), nil
	kit.Go(ctx, func(stopped context.Context) any {
		defer context.AfterFunc(stopped, func() { server.Abort(errSessionEnded) })()
		_ = server.Serve()
		return &ended{}
	})
	if s.draining {
		s.goodbye(ctx)
	}
	if version, ok := s.judge(ctx); ok {
		s.tracked.Watch(ctx, s.deps.Stores.Revocations, version)
	}
}

// judge looks whether the peer is still to be trusted. One that is not is cut at once, with all its streams, which are
// told why. It returns the version of the lists that it looked into, and false when there is nothing left to look after.
func (s *session) judge(ctx actor.Context) (version uint64, ok bool) {
	if s.over || s.peer == nil {
		return 0, false
	}
	version, err := s.peer.Judge()
	if err == nil {
		return version, true
	}
	s.deps.Telemetry.PeerRevoked(messages.Inbound, s.accepted.Peer, s.peer.Identity(), err)
	s.peer = nil
	server := s.server
	kit.Go(ctx, func(context.Context) any {
		server.Abort(messages.Revoked(err))
		return nil
	})
	return version, false
}

// drain says goodbye to the peer, or cuts the connection.
func (s *session) drain(ctx actor.Context, m *messages.Drain) {
	if s.over {
		return
	}
	s.draining = true
	switch {
	case m.Mode == messages.DrainGraceful && s.server != nil:
		s.goodbye(ctx)
	case m.Mode == messages.DrainImmediate && s.server != nil:
		server := s.server
		kit.Go(ctx, func(context.Context) any {
			server.Abort(errSessionEnded)
			return nil
		})
	case m.Mode == messages.DrainImmediate:
		s.deny(ctx, messages.Fail(messages.ReasonDrained, "connection closed due to connection drain"))
	}
}

func (s *session) goodbye(ctx actor.Context) {
	server := s.server
	kit.Go(ctx, func(context.Context) any {
		server.Drain()
		return nil
	})
}

func (s *session) ended(ctx actor.Context) {
	if s.over {
		return
	}
	s.deps.Telemetry.SocketClosed(messages.Inbound)
	s.leave(ctx)
}

// deny ends a session that never served: one early-deny line, no traffic counters (spec/dataplane.md §4.4).
func (s *session) deny(ctx actor.Context, f *messages.Failure) {
	s.record.Failure = f
	s.deps.Telemetry.EarlyDenied(&s.record)
	_ = s.conn.Close()
	s.leave(ctx)
}

func (s *session) leave(ctx actor.Context) {
	s.over = true
	s.timer.Stop()
	s.tracked.End(ctx)
	ctx.Stop(ctx.Self())
}

// stopping ends what a crash or the end of the pod left behind.
func (s *session) stopping(ctx actor.Context) {
	if s.over {
		return
	}
	s.over = true
	s.tracked.End(ctx)
	if s.server == nil {
		s.record.Failure = messages.Fail(messages.ReasonInternal, "connection closed: its session crashed or was stopped")
		s.deps.Telemetry.EarlyDenied(&s.record)
		_ = s.conn.Close()
		return
	}
	s.deps.Telemetry.SocketClosed(messages.Inbound) // the goroutine that serves aborts it
}
