package istiod

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/troupe-mesh/troupe/transport/wire/discovery"
)

// Options are how a Server is. The zero value is usable.
type Options struct {
	// Address is where it listens; 127.0.0.1 and a free port unless set. It stays the same over restarts.
	Address string
	// Listen opens the listener; net.Listen for TCP unless set.
	Listen func(address string) (net.Listener, error)
	// Authority issues its certificate, for Names; one of its own and localhost and 127.0.0.1 unless set.
	Authority *Authority
	Names     []string
	// Token is what calls must bear; any call is served where it is empty.
	Token string
	// World has the resources; an empty one unless set.
	World *World
	// Register adds further services to the same server.
	Register []func(grpc.ServiceRegistrar)
	// MaxRequest is the largest request taken, in bytes; 4 MiB, as istiod does, unless set.
	MaxRequest int
}

// Server is a running control plane.
type Server struct {
	World   *World
	options Options

	mu          sync.Mutex
	address     string
	certificate tls.Certificate
	token       string
	script      Script
	grpc        *grpc.Server
	gate        *gate
	done        chan struct{}
	streams     int
	observed    []Observed
	watch       chan struct{} // closed when something was observed
}

// Observed is a request that came.
type Observed struct {
	// Stream numbers the streams from 1.
	Stream  int
	At      time.Time
	Request *discovery.DeltaDiscoveryRequest
}

// Start starts a server.
func Start(o Options) (*Server, error) {
	if o.World == nil {
		o.World = NewWorld()
	}
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if len(o.Names) == 0 {
		o.Names = []string{"localhost", "127.0.0.1"}
	}
	if o.Listen == nil {
		o.Listen = func(address string) (net.Listener, error) { return net.Listen("tcp", address) }
	}
	if o.MaxRequest == 0 {
		o.MaxRequest = 4 << 20
	}
	var err error
	if o.Authority == nil {
		if o.Authority, err = NewAuthority(); err != nil {
			return nil, err
		}
	}
	s := &Server{World: o.World, options: o, address: o.Address, token: o.Token, watch: make(chan struct{})}
	if s.certificate, err = o.Authority.Server(o.Names...); err != nil {
		return nil, err
	}
	return s, s.Restart()
}

// Restart starts a server again that was stopped, at the same address.
func (s *Server) Restart() error {
	l, err := s.options.Listen(s.address)
	if err != nil {
		return fmt.Errorf("listen for xDS: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.address = l.Addr().String()
	s.gate = newGate(l)
	s.done = make(chan struct{})
	s.grpc = grpc.NewServer(
		grpc.Creds(credentials.NewTLS(&tls.Config{
			MinVersion:     tls.VersionTLS13,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.presented(), nil },
		})),
		grpc.MaxRecvMsgSize(s.options.MaxRequest), grpc.MaxSendMsgSize(1<<30),
		grpc.ChainStreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if err := s.authenticate(ss.Context()); err != nil {
				return err
			}
			return handler(srv, ss)
		}),
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if err := s.authenticate(ctx); err != nil {
				return nil, err
			}
			return handler(ctx, req)
		}),
	)
	discovery.RegisterAggregatedDiscoveryServiceServer(s.grpc, &service{server: s})
	for _, register := range s.options.Register {
		register(s.grpc)
	}
	go func(g *grpc.Server, l net.Listener, done chan struct{}) {
		defer close(done)
		if err := g.Serve(l); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			panic(fmt.Sprintf("serve xDS: %v", err)) // a test whose server is gone would wait for ever
		}
	}(s.grpc, s.gate, s.done)
	return nil
}

// Stop ends the server at once, with a reset for each connection, as a crash does.
func (s *Server) Stop() {
	s.mu.Lock()
	g, gate, done := s.grpc, s.gate, s.done
	s.mu.Unlock()
	gate.cut()
	g.Stop()
	<-done
}

// Address is host:port, URL what XDS_ADDRESS and CA_ADDRESS take.
func (s *Server) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// URL is https://host:port.
func (s *Server) URL() string { return "https://" + s.Address() }

// Roots is what verifies the server, as PEM.
func (s *Server) Roots() string { return s.options.Authority.PEM() }

// Present makes the server show another authority's certificate to the connections that come.
func (s *Server) Present(a *Authority) error {
	c, err := a.Server(s.options.Names...)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.certificate = c
	return nil
}

func (s *Server) presented() *tls.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &s.certificate
}

// Expect makes the server want another token.
func (s *Server) Expect(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
}

// Follow makes the server follow another script, also on the streams there are.
func (s *Server) Follow(script Script) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

func (s *Server) currentScript() Script {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.script
}

// Stall makes all connections half-open: nothing goes in or out until it is called with false.
func (s *Server) Stall(on bool) { s.currentGate().stall(on) }

// Cut resets every connection there is.
func (s *Server) Cut() { s.currentGate().cut() }

// Connections is how many TCP connections have come since the server started last.
func (s *Server) Connections() int { return s.currentGate().count() }

func (s *Server) currentGate() *gate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gate
}

// authenticate wants the token, as istiod does.
func (s *Server) authenticate(ctx context.Context) error {
	s.mu.Lock()
	token := s.token
	s.mu.Unlock()
	if token == "" {
		return nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	if got := md.Get("authorization"); len(got) != 1 || got[0] != "Bearer "+token {
		return status.Error(codes.Unauthenticated, "authentication failure")
	}
	return nil
}

// Requests are all that came so far.
func (s *Server) Requests() []Observed {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Observed(nil), s.observed...)
}

// Streams is how many streams were opened so far.
func (s *Server) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams
}

// Await waits until a request has come for which is returns true, and returns it. Those that came earlier count.
func (s *Server) Await(ctx context.Context, is func(Observed) bool) (Observed, error) {
	for at := 0; ; {
		s.mu.Lock()
		seen, watch := s.observed, s.watch
		s.mu.Unlock()
		for ; at < len(seen); at++ {
			if is(seen[at]) {
				return seen[at], nil
			}
		}
		select {
		case <-watch:
		case <-ctx.Done():
			return Observed{}, fmt.Errorf("no such request among %d: %w", len(seen), ctx.Err())
		}
	}
}

func (s *Server) observe(stream int, r *discovery.DeltaDiscoveryRequest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.observed = append(s.observed, Observed{Stream: stream, At: time.Now(), Request: r})
	close(s.watch)
	s.watch = make(chan struct{})
}

func (s *Server) number() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.streams++
	return s.streams
}
