package relay

import (
	"net/netip"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/transport/memnet"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// patience bounds what a test waits for on real sockets.
const patience = 20 * time.Second

// networks are those that a relay must work on.
var networks = []struct {
	name string
	make func() socket.Network
}{
	{"kernel", func() socket.Network { return socket.New(socket.Config{}) }},
	{"memory", func() socket.Network {
		return memnet.New(memnet.Options{}).AddHost(netip.MustParseAddr("10.0.0.1"))
	}},
}

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

// relayed is a client and a server with a relay between them.
type relayed struct {
	client, server       socket.Conn
	downstream, upstream socket.Conn
	counters             *Counters
	done                 chan Result
}

func startPlain(t testing.TB, n socket.Network) *relayed {
	t.Helper()
	r := &relayed{counters: &Counters{}, done: make(chan Result, 1)}
	r.client, r.downstream = connect(t, n)
	r.upstream, r.server = connect(t, n)
	for _, c := range []socket.Conn{r.client, r.server} {
		_ = c.SetDeadline(time.Now().Add(patience))
	}
	go func() { r.done <- Plain(r.downstream, r.upstream, r.counters) }()
	t.Cleanup(func() {
		for _, c := range []socket.Conn{r.client, r.server, r.downstream, r.upstream} {
			_ = c.Close()
		}
	})
	return r
}

// result waits for the relay's.
func (r *relayed) result(t testing.TB) Result {
	t.Helper()
	select {
	case res := <-r.done:
		return res
	case <-time.After(patience):
		t.Fatal("the relay does not end")
		return Result{}
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("it never holds that %s", what)
		}
	}
}
