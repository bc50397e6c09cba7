package dedicated

import (
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
)

// How a byte stream may behave, over every path. Each ends as it would without a proxy.

func TestClientSpeaksFirst(t *testing.T) {
	testStream(t, agent.Double, func(t *testing.T, c *agent.Conn) agent.End {
		c.Write(hello)
		c.Expect(helloTwice)
		c.Write("again")
		c.Expect("againagain")
		c.CloseWrite()
		c.ExpectEnd(agent.EndEOF)
		return agent.EndEOF
	})
}

func TestServerSpeaksFirst(t *testing.T) {
	testStream(t, agent.Banner, func(t *testing.T, c *agent.Conn) agent.End {
		c.Expect(agent.BannerText)
		c.Write(hello)
		c.Expect(helloTwice)
		c.Close()
		return agent.EndEOF
	})
}

func TestClientEndsItsSideFirst(t *testing.T) {
	testStream(t, agent.Count, func(t *testing.T, c *agent.Conn) agent.End {
		c.Write(hello)
		c.CloseWrite()
		c.Expect("11 bytes")
		c.ExpectEnd(agent.EndEOF)
		return agent.EndEOF
	})
}

func TestServerEndsItsSideFirst(t *testing.T) {
	testStream(t, agent.Goodbye, func(t *testing.T, c *agent.Conn) agent.End {
		c.Expect(agent.GoodbyeText)
		c.ExpectEnd(agent.EndEOF)
		c.Write(hello) // the other side is still open
		c.CloseWrite()
		return agent.EndEOF
	})
}

func TestClientEndsWithoutAByte(t *testing.T) {
	testStream(t, agent.Count, func(t *testing.T, c *agent.Conn) agent.End {
		c.CloseWrite()
		c.Expect("0 bytes")
		c.ExpectEnd(agent.EndEOF)
		return agent.EndEOF
	})
}

func testStream(t *testing.T, mode agent.Mode, talk func(*testing.T, *agent.Conn) agent.End) {
	each(t, func(t *testing.T, client, server *member, f family) {
		address, via := listen(server, f, mode)
		c, err := client.app.TryDial(via)
		if err != nil {
			t.Fatal(err)
		}
		want := talk(t, c)
		record := server.app.EndedRecords(address, 1)[0]
		if record.End != want {
			t.Errorf("the server saw the end %q, want %q", record.End, want)
		}
		if got := record.Peer.Addr(); got != f.of(client) {
			t.Errorf("the server saw a connection from %v, want the client's own %v", got, f.of(client))
		}
	})
}

// A reset on one side ends the other; the reference turns it into an end of stream on the way, so either will do.

func TestServerResets(t *testing.T) {
	each(t, func(t *testing.T, client, server *member, f family) {
		_, via := listen(server, f, agent.Reset)
		c, err := client.app.TryDial(via)
		if err != nil {
			t.Fatal(err)
		}
		c.Write(hello)
		if got, end := c.ReadAll(); got != "" || end != agent.EndReset && end != agent.EndEOF {
			t.Errorf("the client read %q and the end %q", got, end)
		}
		c.Close()
	})
}

func TestClientResets(t *testing.T) {
	each(t, func(t *testing.T, client, server *member, f family) {
		address, via := listen(server, f, agent.Double)
		c, err := client.app.TryDial(via)
		if err != nil {
			t.Fatal(err)
		}
		c.Write(hello)
		c.Expect(helloTwice)
		c.Reset()
		if end := server.app.EndedRecords(address, 1)[0].End; end != agent.EndReset && end != agent.EndEOF {
			t.Errorf("the server saw the end %q", end)
		}
	})
}

func TestRefusedServerEndsTheClient(t *testing.T) {
	each(t, func(t *testing.T, client, server *member, f family) {
		c, err := client.app.TryDial(agent.Via{Target: server.at(f.of(server), 9).String()})
		if err != nil {
			if !strings.Contains(err.Error(), "connection reset") { // taken, and reset before the client looked
				t.Fatalf("the proxy in front should take the connection: %v", err)
			}
			return
		}
		if got, end := c.ReadAll(); got != "" || end != agent.EndReset && end != agent.EndEOF {
			t.Errorf("the client read %q and the end %q", got, end)
		}
		c.Close()
	})
}
