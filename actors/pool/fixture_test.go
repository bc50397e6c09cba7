package pool

import (
	"context"
	"crypto/tls"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/memnet"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// limit bounds what a test waits for, in virtual time.
const limit = time.Minute

var (
	clientID = messages.Identity{TrustDomain: "cluster.local", Namespace: "ns", ServiceAccount: "client"}
	serverID = messages.Identity{TrustDomain: "cluster.local", Namespace: "ns", ServiceAccount: "server"}
)

// fixture is a pool on one host and an HBONE server on another that answers every CONNECT with 200.
type fixture struct {
	t           *testing.T
	net         *memnet.Network
	client      *memnet.Host
	server      *memnet.Host
	certificate *mtls.Certificate
	system      *kit.System
	pool        *actor.PID

	dials  atomic.Int64 // connections that the server has accepted
	open   atomic.Int64 // of them, those that live
	wait   sync.WaitGroup
	closer socket.Listener

	mu      sync.Mutex
	servers []*hbone.Server
	asked   atomic.Uint64
}

// inBubble runs a test with a pool of these settings.
func inBubble(t *testing.T, change func(*Settings), test func(f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fixture{t: t, net: memnet.New(memnet.Options{Link: memnet.Link{Latency: time.Millisecond}})}
		f.client, f.server = f.net.AddHost(netip.MustParseAddr("10.0.0.1")), f.net.AddHost(netip.MustParseAddr("10.0.0.2"))
		authority, err := mtls.NewAuthority(mtls.AuthorityOptions{})
		if err != nil {
			t.Fatal(err)
		}
		f.certificate = f.issue(authority, clientID)
		f.listen(f.issue(authority, serverID))
		telemetry, err := trace.New(trace.Options{})
		if err != nil {
			t.Fatal(err)
		}
		settings := DefaultSettings()
		if change != nil {
			change(&settings)
		}
		f.system = kit.NewSystem(kit.Config{})
		dialer := &Dialer{Network: f.client, HBONE: hbone.ClientDefaults(), Telemetry: telemetry}
		f.pool, err = f.system.SpawnRoot(Spec(f.system, settings, dialer), RolePool)
		if err != nil {
			t.Fatal(err)
		}
		test(f)
		f.end()
	})
}

func (f *fixture) end() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := f.system.Shutdown(ctx); err != nil {
		f.t.Error(err)
	}
	_ = f.closer.Close()
	f.mu.Lock()
	for _, s := range f.servers {
		s.Abort(nil)
	}
	f.mu.Unlock()
	f.wait.Wait()
}

func (f *fixture) issue(a *mtls.Authority, id messages.Identity) *mtls.Certificate {
	f.t.Helper()
	csr, key, err := mtls.NewCSR(id)
	if err != nil {
		f.t.Fatal(err)
	}
	chain, err := a.Issue(csr)
	if err != nil {
		f.t.Fatal(err)
	}
	certificate, err := mtls.ParseChain(id, key, chain)
	if err != nil {
		f.t.Fatal(err)
	}
	return certificate
}

func (f *fixture) listen(certificate *mtls.Certificate) {
	f.t.Helper()
	l, err := f.server.Listen(context.Background(), netip.MustParseAddrPort("[::]:15008"), socket.ListenOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	f.closer = l
	f.wait.Go(func() {
		for {
			accepted, err := l.Accept()
			if err != nil {
				return
			}
			f.dials.Add(1)
			f.wait.Go(func() { f.serve(tls.Server(hbone.Coalesce(accepted.Conn), certificate.ServerConfig(mtls.Options{}))) })
		}
	})
}

func (f *fixture) serve(conn *tls.Conn) {
	if conn.Handshake() != nil {
		_ = conn.Close()
		return
	}
	s := hbone.NewServer(conn, hbone.ServerDefaults(), func(r *hbone.ServerStream) {
		if _, err := r.Accept(nil); err != nil {
			f.t.Error(err)
		}
	})
	f.mu.Lock()
	f.servers = append(f.servers, s)
	f.mu.Unlock()
	f.open.Add(1)
	_ = s.Serve()
	f.open.Add(-1)
}

// key is the key of the n-th source that calls the server.
func (f *fixture) key(n int) messages.TunnelKey {
	return messages.TunnelKey{
		Source: clientID, Expected: serverID.String(), SrcIP: netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}),
		Dial: netip.MustParseAddrPort("10.0.0.2:15008"),
	}
}

func (f *fixture) question(key messages.TunnelKey) *messages.AcquireTunnel {
	q := &messages.AcquireTunnel{Key: key, Expected: []messages.Identity{serverID}, Certificate: f.certificate}
	q.ID = f.asked.Add(1)
	return q
}

// acquire asks for room in a tunnel and waits for the answer.
func (f *fixture) acquire(key messages.TunnelKey) *messages.TunnelAcquired {
	f.t.Helper()
	a, err := kit.AskFor[*messages.TunnelAcquired](context.Background(), f.system, f.pool, f.question(key), limit)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// acquireAll asks for n tunnels at the same time.
func (f *fixture) acquireAll(n int, key func(i int) messages.TunnelKey) []*messages.TunnelAcquired {
	f.t.Helper()
	answers := make([]*messages.TunnelAcquired, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { answers[i] = f.acquire(key(i)) })
	}
	all.Wait()
	return answers
}

// use is a stream in the tunnel that was given; the function that it returns ends it and gives the room back.
func (f *fixture) use(a *messages.TunnelAcquired) (end func()) {
	f.t.Helper()
	if a.Failure != nil {
		f.t.Fatal(a.Failure)
	}
	stream, _, err := a.Tunnel.(*hbone.Client).Open(context.Background(), "10.0.0.2:80", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return func() {
		_ = stream.Close()
		a.GiveBack()
	}
}

// pass lets virtual time pass.
func (f *fixture) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// want fails the test unless the server has accepted so many connections, of which so many live.
func (f *fixture) want(dials, open int64) {
	f.t.Helper()
	f.pass(2 * time.Second) // goodbyes take a while
	if f.dials.Load() != dials || f.open.Load() != open {
		f.t.Errorf("%d connections were made and %d live, want %d and %d", f.dials.Load(), f.open.Load(), dials, open)
	}
}

func tunnels(answers []*messages.TunnelAcquired) int {
	seen := map[messages.Tunnel]bool{}
	for _, a := range answers {
		seen[a.Tunnel] = true
	}
	return len(seen)
}

// nobody takes everything and does nothing.
type nobody struct{}

func newNobody() actor.Actor { return nobody{} }

// Receive drops the message.
func (nobody) Receive(actor.Context) {}
