package admin

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/memnet"
	"github.com/troupe-mesh/troupe/transport/socket"
)

var (
	nodeAddr   = netip.MustParseAddr("10.0.0.1")
	clientAddr = netip.MustParseAddr("10.0.0.2")
)

func netAddr(port uint16) netip.AddrPort { return netip.AddrPortFrom(nodeAddr, port) }

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// node is an admin actor on an in-memory host, with a client beside it.
type node struct {
	t      *testing.T
	net    *memnet.Network
	host   *memnet.Host
	client *memnet.Host
	out    *lines
	log    *logs.Logs
	sys    *kit.System
	pid    *actor.PID
}

func newNode(t *testing.T, tasks ...string) *node {
	t.Helper()
	n := &node{t: t, net: memnet.New(memnet.Options{}), out: &lines{}}
	n.host, n.client = n.net.AddHost(nodeAddr), n.net.AddHost(clientAddr)
	filter, err := logs.ParseFilter("debug")
	if err != nil {
		t.Fatal(err)
	}
	n.log = logs.New(n.out, logs.Plain, filter)
	n.sys = kit.NewSystem(kit.Config{})
	n.pid, err = n.sys.SpawnRoot(Spec(Deps{Log: n.log, Start: time.Now(), Tasks: tasks}), "admin")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// stop ends everything, inside the bubble.
func (n *node) stop() {
	n.t.Helper()
	if err := n.sys.Shutdown(n.t.Context()); err != nil {
		n.t.Error(err)
	}
	if err := n.log.Close(n.t.Context()); err != nil {
		n.t.Error(err)
	}
	if open := n.net.Open(); open != 0 {
		n.t.Errorf("%d connections are still open", open)
	}
}

// serve binds an endpoint on a port and hands it over.
func (n *node) serve(name string, port uint16, h http.Handler) *Endpoint {
	n.t.Helper()
	e, err := Bind(n.t.Context(), n.host, name, []netip.AddrPort{netAddr(port)})
	if err != nil {
		n.t.Fatal(err)
	}
	n.sys.Send(n.pid, &Serve{Endpoint: e, Handler: h})
	return e
}

func (n *node) logged() string {
	n.t.Helper()
	if err := n.log.Flush(n.t.Context()); err != nil {
		n.t.Fatal(err)
	}
	n.out.mu.Lock()
	defer n.out.mu.Unlock()
	return n.out.text.String()
}

func (n *node) expectLog(text string) {
	n.t.Helper()
	if got := n.logged(); !strings.Contains(got, text) {
		n.t.Errorf("the log does not say %q:\n%s", text, got)
	}
}

func (n *node) dial(port uint16) (socket.Conn, error) {
	return n.client.Dial(n.t.Context(), netAddr(port), socket.DialOptions{})
}

// get asks for a page on a connection of its own.
func (n *node) get(port uint16, method, path string) (status int, body string) {
	n.t.Helper()
	c, err := n.dial(port)
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	return exchange(n.t, c, method+" "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

// exchange sends a request and reads the answer to its end.
func exchange(t *testing.T, c socket.Conn, request string) (status int, body string) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

func (n *node) ready() (int, string) {
	n.t.Helper()
	return n.get(15021, http.MethodGet, "/healthz/ready")
}

// drain asks the actor to drain and waits for its answer.
func (n *node) drain(ctx context.Context, d *messages.Drain) {
	n.t.Helper()
	if _, err := kit.AskFor[*messages.Drained](ctx, n.sys, n.pid, d, time.Hour); err != nil {
		n.t.Error(err)
	}
}

func answerText(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, text) })
}
