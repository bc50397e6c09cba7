package dns

import (
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/dnswire"
)

// restart brings back what failed, ever more slowly while it keeps failing.
var restart = kit.Supervision{
	Directive: kit.Restart, MaxRestarts: 20, Window: time.Minute,
	Backoff: kit.Backoff{Initial: 10 * time.Millisecond, Max: 5 * time.Second, Jitter: 0.2}, Then: kit.Escalate,
}

// serving is one socket. It outlives crashes of the proxy, and so does the goroutine that serves it.
type serving struct {
	name    string
	serve   func(handle dnswire.Handler)
	end     func()
	close   func()
	open    atomic.Bool // questions are taken
	running atomic.Bool // a goroutine serves it; there is never more than one
}

// server is the root of a pod's DNS proxy.
type server struct {
	config    *Config
	sockets   []*serving
	resolvers []*actor.PID
	draining  bool
	askers    []*actor.PID
}

// socketEnded says that a socket has closed and that everything that came by it is answered.
type socketEnded struct{}

// Spec is how a pod's DNS proxy is spawned.
func Spec(c Config) kit.Spec {
	if c.Limits == nil {
		c.Limits = DefaultLimits()
	}
	var sockets []*serving
	for _, b := range c.Sockets {
		sockets = append(sockets,
			&serving{
				name:  "tcp/" + b.Stream.Addr().String(),
				serve: func(h dnswire.Handler) { c.Server.ServeTCP(b.Stream, h, c.Log.DNSFailed) },
				end:   func() { _ = b.Stream.Close() }, close: func() { _ = b.Stream.Close() },
			},
			&serving{
				name:  "udp/" + b.Packets.Addr().String(),
				serve: func(h dnswire.Handler) { c.Server.ServeUDP(b.Packets, h, c.Log.DNSFailed) },
				end:   func() { _ = b.Packets.EndReading() }, close: func() { _ = b.Packets.Close() },
			})
	}
	return kit.Spec{
		Role: Role, Capacity: 1024, Run: kit.CallerRuns(), Supervision: restart,
		New: func() actor.Actor { return &server{config: &c, sockets: sockets} },
	}
}

// Receive takes the proxy's messages.
func (s *server) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		s.started(ctx)
	case *messages.StartAccepting:
		s.startAccepting(ctx, m)
	case *messages.ResolveName:
		ctx.Forward(s.resolvers[0])
	case *messages.Drain:
		s.drain(ctx, m)
	case *socketEnded:
		s.checkDrained(ctx)
	case *actor.Stopping:
		s.stopping()
	default:
		kit.Unknown(ctx)
	}
}

func (s *server) started(ctx actor.Context) {
	system := s.config.System
	forwarder := s.spawn(ctx, forwarderSpec(s.config), RoleForwarder)
	for _, o := range s.sockets {
		s.resolvers = append(s.resolvers, s.spawn(ctx, resolverSpec(s.config, forwarder), RoleResolver+"/"+o.name))
	}
	for i, o := range s.sockets {
		s.serve(ctx, system, o, s.resolvers[i]) // an earlier life may have been told to
	}
}

// spawn spawns a child under a name that it has in every life, so that whoever serves a socket goes on reaching it.
func (s *server) spawn(ctx actor.Context, spec kit.Spec, name string) *actor.PID {
	pid, err := kit.SpawnNamed(ctx, s.config.System.Props(spec), name)
	if err != nil {
		panic(err) // the name is ours: nobody else can have it
	}
	return pid
}

func (s *server) startAccepting(ctx actor.Context, m *messages.StartAccepting) {
	if ctx.Sender() != nil {
		ctx.Respond(&messages.AcceptingStarted{Answer: kit.SystemOf(ctx).Answer(&m.Question, 0)})
	}
	if s.draining {
		return
	}
	for i, o := range s.sockets {
		if o.open.CompareAndSwap(false, true) && i%2 == 0 {
			s.config.Log.DNSStarted(s.config.Sockets[i/2].Stream.Addr())
		}
		s.serve(ctx, s.config.System, o, s.resolvers[i])
	}
}

// serve starts the goroutine that serves a socket, unless there is one.
func (s *server) serve(ctx actor.Context, system *kit.System, o *serving, resolver *actor.PID) {
	if !o.open.Load() || !o.running.CompareAndSwap(false, true) {
		return
	}
	kit.Do(ctx, func() any {
		defer o.running.Store(false)
		o.serve(func(a *dnswire.Asked) { system.Send(resolver, a) })
		return &socketEnded{}
	})
}

// drain takes no more questions and lets those that came be answered; an immediate drain does not.
func (s *server) drain(ctx actor.Context, m *messages.Drain) {
	if asker := ctx.Sender(); asker != nil {
		s.askers = append(s.askers, asker)
	}
	if !s.draining {
		s.config.Log.DNSDraining()
	}
	s.draining = true
	for _, o := range s.sockets {
		o.open.Store(false)
		o.end()
		if m.Mode == messages.DrainImmediate || !o.running.Load() {
			o.close()
		}
	}
	if m.Mode == messages.DrainImmediate {
		for _, r := range s.resolvers {
			ctx.Send(r, m)
		}
	}
	s.checkDrained(ctx)
}

func (s *server) checkDrained(ctx actor.Context) {
	if !s.draining {
		return
	}
	for _, o := range s.sockets {
		if o.running.Load() {
			return
		}
	}
	if len(s.askers) > 0 {
		s.config.Log.DNSDrained()
	}
	for _, asker := range s.askers {
		ctx.Send(asker, &messages.Drained{})
	}
	s.askers = nil
}

// stopping closes the sockets where the pod ends for good.
func (s *server) stopping() {
	if s.config.Ending != nil && !s.config.Ending.Load() {
		return
	}
	for _, o := range s.sockets {
		o.open.Store(false)
		o.close()
	}
}
