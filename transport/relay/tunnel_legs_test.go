package relay

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/socket"
)

var testCertificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * 365 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// secure puts TLS over both ends of a connection.
func secure(t testing.TB, a, b net.Conn) (client, server *tls.Conn) {
	t.Helper()
	client = tls.Client(hbone.Coalesce(a), &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true}) //nolint:gosec // both ends are this test
	server = tls.Server(hbone.Coalesce(b), &tls.Config{
		Certificates: []tls.Certificate{testCertificate()}, DynamicRecordSizingDisabled: true, SessionTicketsDisabled: true, MinVersion: tls.VersionTLS13,
	})
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

// tunnelled is what relays through one tunnel: applications on both ends of it.
type tunnelled struct {
	network socket.Network
	client  *hbone.Client
	server  *hbone.Server
	apps    chan accepted
	relays  sync.WaitGroup
}

// accepted is the far end of a flow: the server's application, and the relay that serves it.
type accepted struct {
	app      socket.Conn
	upstream socket.Conn
	stream   *hbone.Stream
	counters *Counters
	done     chan Result
}

func startTunnel(t testing.TB, n socket.Network, secured bool, cs, ss hbone.Settings) *tunnelled {
	t.Helper()
	tn := &tunnelled{network: n, apps: make(chan accepted, 1)}
	a, b := connect(t, n)
	var ca, cb net.Conn = a, b
	if secured {
		ca, cb = secure(t, a, b)
	}
	tn.server = hbone.NewServer(cb, ss, func(r *hbone.ServerStream) {
		tn.relays.Go(func() {
			stream, err := r.Accept(nil)
			if err != nil {
				return
			}
			upstream, app := connect(t, n)
			acc := accepted{app: app, upstream: upstream, stream: stream, counters: &Counters{}, done: make(chan Result, 1)}
			tn.apps <- acc
			acc.done <- Tunnel(upstream, stream, SideUpstream, acc.counters)
		})
	})
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := tn.server.Serve(); err != nil {
			t.Errorf("serving the tunnel: %v", err)
		}
	}()
	var err error
	if tn.client, err = hbone.NewClient(ca, cs); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tn.client.Abort(nil)
		tn.server.Abort(nil)
		<-tn.client.Done()
		<-served
		tn.relays.Wait()
	})
	return tn
}

// flow is a flow through a tunnel: two applications and the relays between them.
type flow struct {
	client, server       socket.Conn // the applications' ends
	downstream, upstream socket.Conn // the relays' ends
	out, in              *hbone.Stream
	counters, far        *Counters
	done, farDone        chan Result
}

// open starts a flow. Only one may be started at a time.
func (tn *tunnelled) open(t testing.TB) *flow {
	t.Helper()
	stream, r, err := tn.client.Open(context.Background(), "10.0.0.9:80", nil)
	if err != nil || r.Status != 200 {
		t.Fatal(r, err)
	}
	f := &flow{out: stream, counters: &Counters{}, done: make(chan Result, 1)}
	f.client, f.downstream = connect(t, tn.network)
	tn.relays.Go(func() { f.done <- Tunnel(f.downstream, stream, SideDownstream, f.counters) })
	acc := <-tn.apps
	f.server, f.upstream, f.in, f.far, f.farDone = acc.app, acc.upstream, acc.stream, acc.counters, acc.done
	return f
}

// results waits for both relays to end.
func (f *flow) results(t testing.TB) (near, far Result) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for i, done := range []chan Result{f.done, f.farDone} {
		select {
		case r := <-done:
			if i == 0 {
				near = r
			} else {
				far = r
			}
		case <-late.C:
			t.Fatalf("relay %d does not end", i)
		}
	}
	return near, far
}
