package bubble_test

import (
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/bubble"
)

func TestSOCKS(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client, server := w.Start("client"), w.Start("server")
		server.Echo("10.0.0.2:8080")
		c, err := client.DialSOCKS("10.9.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		c.Say("hello")
		c.Hear("hello")
		c.Finish()
		client.WantLastAccess("info", `src.addr=127.0.0.1:32768 src.workload="client"`,
			`dst.addr=10.0.0.2:15008 dst.hbone_addr=10.0.0.2:8080 dst.service="server.ns"`, `direction="outbound" bytes_sent=5 bytes_recv=5`)
		client.WantCounts(bubble.Counts{Opened: 1, Closed: 1})
		client.Exchange("10.9.0.2:80", "by the other door")
		server.WantCounts(bubble.Counts{Opened: 2, Closed: 2, Sockets: 2}) // the doors have pools of their own
	})
}

func TestSOCKSFailures(t *testing.T) {
	for name, test := range map[string]struct {
		to, told, log string
	}{
		"nobody listens": {"10.0.0.3:81", "connection refused", `error="io error: Connection refused (os error 111)"`},
		"no endpoint":    {"10.9.0.9:80", "host unreachable", `error="no healthy upstream: 10.9.0.9:80"`},
		"loop":           {"127.0.0.1:15001", "general", `error="attempted recursive call to ourselves"`},
		"unknown name":   {"nobody.example:80", "host unreachable", `error="failed to negotiate socks connection: `},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				client := w.Start("client")
				if _, err := client.DialSOCKS(test.to); err == nil || !strings.Contains(err.Error(), test.told) {
					t.Errorf("the client is told %v, want %q", err, test.told)
				}
				w.Pass(time.Minute)
				client.WantLastAccess(test.log)
				if got := client.Counts(); got.Sockets != 0 || got.Opened != got.Closed {
					t.Errorf("counts %+v", got)
				}
			})
		})
	}
}

func TestSOCKSClientThatSaysNothing(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client := w.Start("client")
		c := client.DialLocal("127.0.0.1:15080")
		w.Pass(9 * time.Second)
		client.WantCounts(bubble.Counts{Sockets: 1})
		w.Pass(2 * time.Second)
		client.WantLastAccess("warn", "connection failed", "failed to negotiate socks connection")
		client.WantCounts(bubble.Counts{})
		_ = c.Close()
	})
}

func TestSOCKSClientThatLeaves(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		client := w.Start("client")
		c := client.DialLocal("127.0.0.1:15080")
		c.Say("\x05\x01")
		_ = c.Close()
		w.Pass(time.Second)
		client.WantLastAccess("warn", "connection failed")
		client.WantCounts(bubble.Counts{})
	})
}
