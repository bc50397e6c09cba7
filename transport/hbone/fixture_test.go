package hbone

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/transport/memnet"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// patience bounds what a test waits for on real sockets.
const patience = 20 * time.Second

// testCertificate is good enough for a handshake between ends that do not verify.
var testCertificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"tunnel.test"},
		NotAfter:     time.Now().Add(24 * 365 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func clientTLS() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify:          true, //nolint:gosec // both ends are this test
		NextProtos:                  []string{"h2"},
		MinVersion:                  tls.VersionTLS13,
		DynamicRecordSizingDisabled: true,
	}
}

func serverTLS() *tls.Config {
	return &tls.Config{
		Certificates:                []tls.Certificate{testCertificate()},
		NextProtos:                  []string{"h2"},
		MinVersion:                  tls.VersionTLS13,
		DynamicRecordSizingDisabled: true,
		SessionTicketsDisabled:      true,
	}
}

// memory is a host of an in-memory network.
func memory() socket.Network {
	return memnet.New(memnet.Options{}).AddHost(netip.MustParseAddr("10.0.0.1"))
}

func kernel() socket.Network { return socket.New(socket.Config{}) }

// connect is both ends of a connection.
func connect(t testing.TB, n socket.Network) (a, b socket.Conn) {
	t.Helper()
	l, err := n.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:0"), socket.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	a, err = n.Dial(t.Context(), l.Addr(), socket.DialOptions{})
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return a, accepted.Conn
}

// secure does the handshake over coalescers.
func secure(t testing.TB, a, b net.Conn) (client, server *tls.Conn) {
	t.Helper()
	client, server = tls.Client(Coalesce(a), clientTLS()), tls.Server(Coalesce(b), serverTLS())
	failed := make(chan error, 1)
	go func() { failed <- server.HandshakeContext(t.Context()) }()
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	return client, server
}

// transports are what a tunnel must run over.
var transports = []struct {
	name string
	make func(t testing.TB) (client, server net.Conn)
}{
	{"memory", func(t testing.TB) (net.Conn, net.Conn) { a, b := connect(t, memory()); return a, b }},
	{"memory TLS", func(t testing.TB) (net.Conn, net.Conn) { a, b := connect(t, memory()); return pair(secure(t, a, b)) }},
	{"TCP TLS", func(t testing.TB) (net.Conn, net.Conn) { a, b := connect(t, kernel()); return pair(secure(t, a, b)) }},
	{"pipe", func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() }},
	{"pipe TLS", func(t testing.TB) (net.Conn, net.Conn) { a, b := net.Pipe(); return pair(secure(t, a, b)) }},
	{"TLS without coalescer", func(t testing.TB) (net.Conn, net.Conn) {
		a, b := connect(t, kernel())
		client, server := tls.Client(a, clientTLS()), tls.Server(b, serverTLS())
		failed := make(chan error, 1)
		go func() { failed <- server.HandshakeContext(t.Context()) }()
		if err := client.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
		return client, server
	}},
	{"another tunnel", nested},
}

// nested is TLS through a stream of another tunnel.
func nested(t testing.TB) (net.Conn, net.Conn) {
	a, b := connect(t, kernel())
	client, server := secure(t, a, b)
	far := make(chan *Stream, 1)
	tn := start(t, client, server, Settings{}, Settings{}, func(r *ServerStream) {
		if s, err := r.Accept(nil); err == nil {
			far <- s
		}
	})
	near, _, err := tn.client.Open(t.Context(), "gateway:15008", nil)
	if err != nil {
		t.Fatal(err)
	}
	return pair(secure(t, near, <-far))
}

func pair(a, b *tls.Conn) (net.Conn, net.Conn) { return a, b }

// tunnel is both ends of a tunnel.
type tunnel struct {
	client *Client
	server *Server
	served chan error
	stats  [2]*Stats // client's, server's
}

// start runs a tunnel over both ends of a connection; zero settings are the defaults.
func start(t testing.TB, a, b net.Conn, cs, ss Settings, handle func(*ServerStream)) *tunnel {
	t.Helper()
	tn := &tunnel{served: make(chan error, 1), stats: [2]*Stats{{}, {}}}
	cs.Stats, ss.Stats = tn.stats[0], tn.stats[1]
	tn.server = NewServer(b, ss, handle)
	go func() { tn.served <- tn.server.Serve() }()
	var err error
	if tn.client, err = NewClient(a, cs); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tn.client.Abort(nil)
		tn.server.Abort(nil)
		<-tn.client.Done()
		<-tn.server.c.done
	})
	return tn
}

// echo answers every CONNECT and sends back what comes.
func echo(r *ServerStream) {
	go func() {
		s, err := r.Accept(nil)
		if err != nil {
			return
		}
		defer func() { _ = s.Close() }()
		p := make([]byte, 32<<10)
		for {
			n, err := s.Read(p)
			if _, werr := s.Write(p[:n]); werr != nil {
				return
			}
			if err != nil {
				_ = s.CloseWrite()
				return
			}
		}
	}()
}
