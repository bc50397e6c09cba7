package agent_test

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-mesh/troupe/e2e/agent"
)

func TestMain(m *testing.M) {
	agent.Main()
	goleak.VerifyTestMain(m)
}

// here starts agents on the host's loopback.
type here struct{}

func (here) StartProcess(cmd *exec.Cmd) error { return cmd.Start() }

// serve starts a server and a client.
func serve(t *testing.T, mode agent.Mode) (client, server *agent.Agent, target netip.AddrPort) {
	t.Helper()
	client, server = agent.Start(t, here{}, "client"), agent.Start(t, here{}, "server")
	return client, server, server.Listen("127.0.0.1:0", mode)
}

func TestModes(t *testing.T) {
	tests := map[agent.Mode]func(t *testing.T, c *agent.Conn){
		agent.Double: func(t *testing.T, c *agent.Conn) {
			c.Write("hello world")
			c.Expect("hello worldhello world")
			c.CloseWrite()
			c.ExpectEnd(agent.EndEOF)
		},
		agent.Echo: func(t *testing.T, c *agent.Conn) { c.Write("once"); c.Expect("once"); c.Close() },
		agent.Banner: func(t *testing.T, c *agent.Conn) {
			c.Expect(agent.BannerText)
			c.Write("me")
			c.Expect("meme")
			c.Close()
		},
		agent.Count: func(t *testing.T, c *agent.Conn) {
			c.Write("12345")
			c.CloseWrite()
			c.Expect("5 bytes")
			c.ExpectEnd(agent.EndEOF)
		},
		agent.Goodbye: func(t *testing.T, c *agent.Conn) {
			c.Expect(agent.GoodbyeText)
			c.ExpectEnd(agent.EndEOF)
			c.Write("12345")
			c.Close()
		},
		agent.Reset: func(t *testing.T, c *agent.Conn) { c.Write("x"); c.ExpectEnd(agent.EndReset) },
	}
	for mode, test := range tests {
		t.Run(string(mode), func(t *testing.T) {
			client, server, target := serve(t, mode)
			c := client.Dial(target)
			test(t, c)
			record := server.EndedRecords("127.0.0.1:0", 1)[0]
			if record.Peer != c.Local {
				t.Errorf("the server saw %v, the client is %v", record.Peer, c.Local)
			}
			if record.End == agent.EndOpen || record.End == agent.EndOther {
				t.Errorf("the connection ended with %q", record.End)
			}
		})
	}
}

func TestServerSeesTheClientsReset(t *testing.T) {
	client, server, target := serve(t, agent.Double)
	c := client.Dial(target)
	c.Write("x")
	c.Expect("xx")
	c.Reset()
	if got := server.EndedRecords("127.0.0.1:0", 1)[0].End; got != agent.EndReset {
		t.Errorf("the server saw %q, want %q", got, agent.EndReset)
	}
}

func TestTransferComparesBothDirections(t *testing.T) {
	client, server, target := serve(t, agent.Bulk)
	for _, size := range []agent.Transfer{{}, {Up: 1}, {Down: 1}, {Up: 3 << 20, Down: 5<<20 + 7, Seed: 9}} {
		size.Via.Target = target.String()
		done := client.Transfer(size)
		if done.Up != size.Up || done.Down != size.Down {
			t.Errorf("moved %+v, want %+v", done, size)
		}
	}
	if got := server.EndedRecords("127.0.0.1:0", 4)[3]; got.Received != 3<<20 || got.Sent != 5<<20+7 {
		t.Errorf("the server counted %+v", got)
	}
}

func TestManyHoldsAllAtOnce(t *testing.T) {
	client, server, target := serve(t, agent.Double)
	held := client.Many(agent.Many{Via: agent.Via{Target: target.String()}, Connections: 300, Payload: "hello"})
	if held.Opened != 300 || held.Answered != 300 || len(held.Failures) != 0 {
		t.Errorf("held %+v, want 300 of 300", held)
	}
	for _, r := range server.EndedRecords("127.0.0.1:0", 300) {
		if r.Received != 10 || r.Sent != 20 {
			t.Fatalf("a connection got %d and sent %d bytes, want 10 and 20", r.Received, r.Sent)
		}
	}
}

func TestRefusalIsAnError(t *testing.T) {
	client := agent.Start(t, here{}, "client")
	_, err := client.TryDial(agent.Via{Target: "127.0.0.1:1"})
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestGoneAgentFailsItsCallers(t *testing.T) {
	client, _, target := serve(t, agent.Double)
	c := client.Dial(target)
	client.Kill()
	var err error
	for err = nil; err == nil; {
		err = c.TryWrite("x")
	}
	if !errors.Is(err, agent.ErrGone) && !errors.Is(err, os.ErrClosed) && !strings.Contains(err.Error(), agent.ErrGone.Error()) &&
		!strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("got %v, want ErrGone", err)
	}
}
