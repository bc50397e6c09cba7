package thin

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"

	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/relay"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// Server is the server's side.
type Server struct {
	// TLS is the server's configuration of mutual TLS.
	TLS *tls.Config

	network socket.Network
}

// Serve accepts tunnels at address until accepting fails.
func (s *Server) Serve(address netip.AddrPort, ready func()) error {
	s.network = socket.New(socket.Config{})
	listener, err := s.network.Listen(context.Background(), address, socket.ListenOptions{Transparent: socket.TransparentOff})
	if err != nil {
		return err
	}
	ready()
	for {
		accepted, err := listener.Accept()
		if err != nil {
			return err
		}
		go s.serve(accepted.Conn)
	}
}

func (s *Server) serve(raw socket.Conn) {
	defer func() { _ = raw.Close() }()
	secure := tls.Server(hbone.Coalesce(raw), s.TLS)
	if secure.HandshakeContext(context.Background()) != nil {
		return
	}
	_ = hbone.NewServer(secure, hbone.ServerDefaults(), func(r *hbone.ServerStream) { go s.carry(r) }).Serve()
}

func (s *Server) carry(r *hbone.ServerStream) {
	target, err := netip.ParseAddrPort(r.Authority)
	if err != nil || r.Method != http.MethodConnect {
		r.Refuse(http.StatusBadRequest)
		return
	}
	app, err := s.network.Dial(context.Background(), target, socket.DialOptions{})
	if err != nil {
		r.Refuse(http.StatusServiceUnavailable)
		return
	}
	stream, err := r.Accept(nil)
	if err != nil {
		_ = app.Abort()
		return
	}
	relay.Tunnel(app, stream, relay.SideUpstream, new(relay.Counters))
}
