package bubble_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// draining drains a node in the background and gives what came of it.
func draining(n *bubble.Node, mode messages.DrainMode, deadline time.Duration) <-chan messages.Drained {
	result := make(chan messages.Drained, 1)
	go func() {
		drained, err := n.Drain(context.Background(), mode, deadline)
		if err != nil {
			drained.Cut = -1
		}
		result <- drained
	}()
	return result
}

func wantDrained(t *testing.T, result <-chan messages.Drained, want messages.Drained) {
	t.Helper()
	select {
	case got := <-result:
		if got != want {
			t.Errorf("drained %+v, want %+v", got, want)
		}
	default:
		t.Errorf("the drain is not over, want %+v", want)
	}
}

func wantClosedDoors(t *testing.T, n *bubble.Node) {
	t.Helper()
	for _, port := range []uint16{15001, 15006, 15008} {
		c, err := n.Host.Dial(t.Context(), netip.AddrPortFrom(n.Host.Addr(), port), socket.DialOptions{})
		if err == nil {
			t.Errorf("port %d still takes connections", port)
			_ = c.Close()
		}
	}
}

func TestDrainOfAnIdleNode(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server := w.Start("client"), w.Start("server")
		server.Echo("10.0.0.2:8080")
		client.Exchange("10.0.0.2:8080", "hello")
		result := draining(client, messages.DrainGraceful, 5*time.Second)
		w.Settle()
		wantDrained(t, result, messages.Drained{})
		wantClosedDoors(t, client)
		w.Pass(2 * time.Second) // idle tunnels of the pool say goodbye
		server.WantCounts(bubble.Counts{Opened: 1, Closed: 1})
		if got := strings.Join(client.Log(), "\n"); strings.Count(got, "shutdown complete") != 4 {
			t.Errorf("log %q, want four doors' shutdown", got)
		}
	})
}

func TestGracefulDrainWaits(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server := w.Start("client"), w.Start("server")
		server.Echo("10.0.0.2:8080")
		c := client.Dial("10.0.0.2:8080")
		c.Say("x")
		c.Hear("x")
		result := draining(server, messages.DrainGraceful, time.Minute)
		w.Pass(10 * time.Second)
		wantClosedDoors(t, server)
		c.Say("y")
		c.Hear("y")
		client.WantRefused("10.0.0.2:8080") // a new tunnel would be needed
		c.Finish()
		w.Pass(2 * time.Second)
		wantDrained(t, result, messages.Drained{Ended: 1})
		server.WantLastAccess("info", "connection complete", "bytes_sent=2 bytes_recv=2")
		server.WantCounts(bubble.Counts{Opened: 1, Closed: 1})
	})
}

func TestDrainDeadlineCuts(t *testing.T) {
	for name, mode := range map[string]messages.DrainMode{"graceful": messages.DrainGraceful, "immediate": messages.DrainImmediate} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				client, server := w.Start("client"), w.Start("server")
				server.Echo("10.0.0.2:8080")
				c := client.Dial("10.0.0.2:8080")
				c.Say("x")
				c.Hear("x")
				plain := w.DialFrom("legacy", "10.0.0.2:8080")
				plain.Say("x")
				plain.Hear("x")
				result := draining(server, mode, 5*time.Second)
				if mode == messages.DrainGraceful {
					w.Pass(4 * time.Second)
					c.Say("y")
					c.Hear("y")
					w.Pass(2 * time.Second)
				} else {
					w.Pass(time.Second + 100*time.Millisecond)
				}
				wantDrained(t, result, messages.Drained{Cut: 2})
				plain.HearEnd()
				c.HearEnd()
				_, _ = plain.Close(), c.Close()
				w.Pass(time.Second)
				for _, line := range server.Access() {
					if !strings.Contains(line, `error="connection closed due to connection drain"`) || !strings.HasPrefix(line, "error") {
						t.Errorf("access log line %q", line)
					}
				}
				server.WantFlag("-", 2)
				server.WantCounts(bubble.Counts{Opened: 2, Closed: 2})
			})
		})
	}
}

func TestImmediateDrainEndsTheGracefulOne(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client := w.Start("client")
		w.Serve(w.Host("legacy"), "10.0.0.3:8080", bubble.Echo)
		c := client.Dial("10.0.0.3:8080")
		c.Say("x")
		c.Hear("x")
		patient := draining(client, messages.DrainGraceful, time.Hour)
		w.Pass(time.Minute)
		now := draining(client, messages.DrainImmediate, 0)
		w.Pass(time.Second)
		wantDrained(t, patient, messages.Drained{Cut: 1})
		wantDrained(t, now, messages.Drained{Cut: 1})
		c.HearEnd()
		_ = c.Close()
	})
}

// A peer whose handshake has not ended when the drain begins holds it up to its deadline, and no longer.
func TestDrainDuringTheHandshake(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		server := w.Start("server")
		c := w.DialFrom("client", "10.0.0.2:15008")
		w.Pass(10 * time.Millisecond)
		result := draining(server, messages.DrainGraceful, 5*time.Second)
		w.Pass(6 * time.Second)
		wantDrained(t, result, messages.Drained{})
		c.HearEnd()
		_ = c.Close()
		server.WantLastAccess("warn", "connection failed", `error="connection closed due to connection drain"`)
		server.WantCounts(bubble.Counts{})
	})
}

func TestStopWithoutDrain(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server := w.Start("client"), w.Start("server")
		server.Echo("10.0.0.2:8080")
		c := client.Dial("10.0.0.2:8080")
		c.Say("x")
		c.Hear("x")
		client.Stop()
		c.HearEnd()
		_ = c.Close()
		w.Pass(2 * time.Second)
		client.WantCounts(bubble.Counts{Opened: 1, Closed: 1})
		client.WantFlag("-", 1)
		server.WantLastAccess(`error="while closing connection: receive: io error: broken pipe"`) // as behind a peer that was killed
		wantClosedDoors(t, client)
	})
}
