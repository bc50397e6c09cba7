package dns

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	wire "github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/messages"
)

var update = flag.Bool("update", false, "write the golden traces anew")

// TestGoldenTraces holds the traces of questions against files: the names that were tried, and who answered.
func TestGoldenTraces(t *testing.T) {
	for name, play := range map[string]func(w *world){
		"mesh":        func(w *world) { w.query("udp", "cart.ns1.svc.cluster.local.", wire.TypeA) },
		"mesh-known":  func(w *world) { w.twice("cart.ns1.svc.cluster.local.", wire.TypeA) },
		"short":       func(w *world) { w.query("tcp", "CART.", wire.TypeA) },
		"stripped":    func(w *world) { w.query("udp", "www.google.com.ns1.svc.cluster.local.", wire.TypeA) },
		"wildcard":    func(w *world) { w.query("udp", "a.b.wildcard.", wire.TypeA) },
		"headless":    func(w *world) { w.query("udp", "one.ns1.", wire.TypeAAAA) },
		"no-records":  func(w *world) { w.query("udp", "cart.ns1.", wire.TypeAAAA) },
		"unsupported": func(w *world) { w.query("udp", "four.ns1.", wire.TypeAAAA) },
		"forwarded":   func(w *world) { w.query("udp", "a.com.", wire.TypeA) },
		"cached":      func(w *world) { w.twice("a.com.", wire.TypeA) },
		"other-type":  func(w *world) { w.query("udp", "cart.ns1.", wire.TypeTXT) },
		"nxdomain":    func(w *world) { w.query("udp", "nobody.com.", wire.TypeA) },
		"refused":     func(w *world) { w.query("udp", "refused.com.", wire.TypeA) },
		"by-itself":   func(w *world) { w.query("udp", "localhost.", wire.TypeA) },
	} {
		t.Run(name, func(t *testing.T) {
			good := zone(t, soa, "a.com. 60 A 10.0.0.1")
			up := serveNames(t, func(to wire.ResponseWriter, q *wire.Msg) {
				if q.Question[0].Name == "refused.com." {
					_ = to.WriteMsg(new(wire.Msg).SetRcode(q, wire.RcodeRefused))
					return
				}
				good(to, q)
			})
			w := newWorld(t, servers(patience, up.addr))
			w.tree.Normal = true
			headless := messages.NamespacedHostname{Namespace: "ns1", Hostname: "one.ns1.svc.cluster.local"}
			w.know([]*messages.Workload{client(), endpoint("one", headless, "10.0.0.6", "2001:db8::6")}, []*messages.Service{
				kube("ns1", "cart", "10.0.0.9"), kube("ns1", "one"), service("ns2", "www.google.com", "10.0.0.8"), service("ns1", "*.wildcard", "10.0.0.5"),
				with(kube("ns1", "four", "10.0.0.7"), func(s *messages.Service) { s.IPFamilies = messages.FamiliesIPv4 }),
			})
			play(w)
			golden(t, name, w, up)
		})
	}
	t.Run("unknown-pod", func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.WorkloadWait = time.Millisecond })
		w.tree.Normal = true
		w.know(nil, nil)
		w.query("udp", "cart.ns1.", wire.TypeA)
		golden(t, "unknown-pod", w, nil)
	})
	t.Run("silent", func(t *testing.T) {
		up := serveNames(t, func(wire.ResponseWriter, *wire.Msg) {})
		w := newWorld(t, servers(10*time.Millisecond, up.addr))
		w.tree.Normal = true
		w.know([]*messages.Workload{client()}, nil)
		w.query("udp", "a.com.", wire.TypeA)
		golden(t, "silent", w, up)
	})
}

// twice asks again when there has been an answer.
func (w *world) twice(name string, kind uint16) {
	w.query("udp", name, kind)
	w.query("udp", name, kind)
}

func golden(t *testing.T, name string, w *world, up *nameServer) {
	t.Helper()
	got := w.trace()
	if up != nil {
		got = strings.ReplaceAll(got, up.addr.String(), "<name server>")
	}
	path := filepath.Join("testdata", "traces", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got\n%s\nwant\n%s", path, got, want)
	}
}
