package dns

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	wire "github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

const soa = ". 60 SOA ns. admin. 1 1 1 1 60"

func TestRepliesAreCached(t *testing.T) {
	up := serveNames(t, zone(t, soa, "a.com. 60 A 10.0.0.1", "short.com. 0 A 10.0.0.2"))
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, nil)
	for range 5 {
		if m := w.query("udp", "A.com.", wire.TypeA); len(m.Answer) != 1 || m.Answer[0].Header().Ttl > 60 || m.Answer[0].Header().Ttl < 30 {
			t.Errorf("answered %s", m)
		}
		if m := w.query("udp", "nobody.com.", wire.TypeA); m.Rcode != wire.RcodeNameError || len(m.Ns) != 1 {
			t.Errorf("answered %s", m)
		}
		if m := w.query("tcp", "a.com.", wire.TypeAAAA); m.Rcode != wire.RcodeSuccess || len(m.Answer) != 0 || len(m.Ns) != 1 {
			t.Errorf("answered %s", m)
		}
	}
	if n := up.asked.Load(); n != 3 {
		t.Errorf("the name server was asked %d times, want once for each", n)
	}
	for range 3 {
		w.query("udp", "short.com.", wire.TypeA)
	}
	if n := up.asked.Load(); n != 6 {
		t.Errorf("asked %d times; what holds for no time must not be kept", n-3)
	}
	if entries, bytes := w.limits.Cached(); entries != 3 || bytes <= 0 {
		t.Errorf("%d entries of %d bytes are counted", entries, bytes)
	}
}

func TestTroubleIsNotCached(t *testing.T) {
	var fail sync.Once
	good := zone(t, soa, "a.com. 60 A 10.0.0.1")
	bad := 0
	up := serveNames(t, func(w wire.ResponseWriter, q *wire.Msg) {
		fail.Do(func() { bad = 2 })
		if bad > 0 {
			bad--
			m := new(wire.Msg).SetRcode(q, wire.RcodeRefused)
			_ = w.WriteMsg(m)
			return
		}
		good(w, q)
	})
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, nil)
	if m := w.query("udp", "a.com.", wire.TypeA); m.Rcode != wire.RcodeRefused || m.RecursionAvailable || m.IsEdns0() != nil {
		t.Errorf("answered %s, want what the name server said", m)
	}
	if m := w.query("udp", "a.com.", wire.TypeA); len(m.Answer) != 1 {
		t.Errorf("answered %s", m)
	}
}

func TestOneQuestionForAll(t *testing.T) {
	release := make(chan struct{})
	good := zone(t, soa, "a.com. 60 A 10.0.0.1")
	up := serveNames(t, func(w wire.ResponseWriter, q *wire.Msg) {
		<-release
		good(w, q)
	})
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, nil)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if m := w.query("udp", "a.com.", wire.TypeA); len(m.Answer) != 1 {
				t.Errorf("answered %s", m)
			}
		})
	}
	w.eventually("all but one wait for the same question", func() bool { return w.limits.Shared.Load() == 19 })
	if n := w.limits.UnderWay(); n != 1 {
		t.Errorf("%d questions under way", n)
	}
	close(release)
	all.Wait()
	if w.limits.UnderWay() != 0 && up.asked.Load() > 2 {
		t.Errorf("%d under way, asked %d times", w.limits.UnderWay(), up.asked.Load())
	}
}

func TestASilentServerCostsOnlyItsOwnQuestions(t *testing.T) {
	held := make(chan struct{})
	good := zone(t, soa, "good.com. 60 A 10.0.0.1")
	up := serveNames(t, func(w wire.ResponseWriter, q *wire.Msg) {
		if strings.HasSuffix(q.Question[0].Name, "dead.com.") {
			<-held
			return
		}
		good(w, q)
	})
	w := newWorld(t, servers(patience, up.addr))
	defer close(held)
	w.know([]*messages.Workload{client()}, []*messages.Service{kube("ns1", "cart", "10.0.0.9")})
	c := w.dial("udp")
	for i := range maxUnderWay + 10 {
		w.send(c, fmt.Sprintf("n%d.dead.com.", i))
	}
	w.eventually("the bound is reached", func() bool { return w.limits.Refused.Load() >= 10 })
	if n := w.limits.UnderWay(); n != maxUnderWay {
		t.Errorf("%d questions under way, want %d", n, maxUnderWay)
	}
	if m := w.query("udp", "cart.", wire.TypeA); len(m.Answer) != 1 {
		t.Errorf("a name of the mesh: %s", m)
	}
	if m := w.query("udp", "x.dead.com.", wire.TypeA); m.Rcode != wire.RcodeServerFailure {
		t.Errorf("a question beyond the bound: %s", m)
	}
}

// dial connects a client that the test reads from.
func (w *world) dial(proto string) net.Conn {
	w.t.Helper()
	c, err := net.Dial(proto, w.addr.String())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return c
}

func (w *world) send(c net.Conn, name string) {
	w.t.Helper()
	packet, err := new(wire.Msg).SetQuestion(name, wire.TypeA).Pack()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := c.Write(packet); err != nil {
		w.t.Fatal(err)
	}
}

func TestAnUnknownPodIsRefused(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.WorkloadWait = time.Millisecond })
	w.know(nil, []*messages.Service{kube("ns1", "cart", "10.0.0.9")})
	if m := w.query("udp", "cart.", wire.TypeA); m.Rcode != wire.RcodeServerFailure || m.Authoritative || m.RecursionAvailable {
		t.Errorf("answered %s", m)
	}
	if got := w.metrics("istio_dns_requests_total"); !slices.Equal(got, []string{
		`istio_dns_requests_total{request_query_type="a",request_protocol="udp",source_canonical_service="unknown",source_canonical_revision="unknown"} 1`,
	}) {
		t.Errorf("counted %q", got)
	}
	if got := w.log.String(); strings.Contains(got, "\tdns\t") {
		t.Errorf("logged %s", got)
	}
}

func TestAPodThatArrivesLateIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.know(nil, []*messages.Service{kube("ns1", "cart", "10.0.0.9")})
	c := w.dial("udp")
	w.send(c, "cart.")
	w.know([]*messages.Workload{client()}, nil)
	buffer := make([]byte, 512)
	n, err := c.Read(buffer)
	m := new(wire.Msg)
	if err != nil || m.Unpack(buffer[:n]) != nil || len(m.Answer) != 1 {
		t.Errorf("read %v, %v", m, err)
	}
}

func TestMetricsAndLog(t *testing.T) {
	up := serveNames(t, zone(t, soa, "a.com. 60 A 10.0.0.1"))
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, []*messages.Service{
		kube("ns1", "cart", "10.0.0.8", "10.0.0.9"), with(kube("ns1", "four", "10.0.0.7"), func(s *messages.Service) { s.IPFamilies = messages.FamiliesIPv4 }),
	})
	w.query("udp", "CART.ns1.svc.cluster.local.", wire.TypeA)
	w.query("udp", "cart.", wire.TypeAAAA)
	w.query("udp", "four.", wire.TypeAAAA)
	w.query("udp", "a.com.", wire.TypeA)
	w.query("udp", "nobody.com.", wire.TypeA)
	w.query("tcp", "a.com.", wire.TypeMX)
	const of = `request_protocol="udp",source_canonical_service="shopper",source_canonical_revision="v2"} `
	for name, want := range map[string][]string{
		"istio_dns_requests_total": {
			`istio_dns_requests_total{request_query_type="a",` + of + "3", `istio_dns_requests_total{request_query_type="aaaa",` + of + "2",
			`istio_dns_requests_total{request_query_type="mx",` + strings.Replace(of, "udp", "tcp", 1) + "1",
		},
		"istio_dns_upstream_requests_total": {
			`istio_dns_upstream_requests_total{request_query_type="a",` + of + "2",
			`istio_dns_upstream_requests_total{request_query_type="mx",` + strings.Replace(of, "udp", "tcp", 1) + "1",
		},
		"istio_dns_upstream_failures_total": {
			`istio_dns_upstream_failures_total{request_query_type="a",` + of + "1",
			`istio_dns_upstream_failures_total{request_query_type="mx",` + strings.Replace(of, "udp", "tcp", 1) + "1",
		},
	} {
		if got := w.metrics(name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := w.metrics("istio_dns_upstream_request_duration_seconds_count"); len(got) != 2 || !strings.HasSuffix(got[0], " 2") {
		t.Errorf("durations %q", got)
	}
	const who = `src.workload="client" src.namespace="ns1" query=`
	for _, want := range []string{
		`"A" domain="cart.ns1.svc.cluster.local." result="success" endpoints=2`,
		`"AAAA" domain="cart." result="no records" endpoints=0`,
		`"AAAA" domain="four." result="service does not support this record type" endpoints=0`,
		`"A" domain="a.com." result="forwarded" endpoints=1`,
		`"A" domain="nobody.com." result="forwarding failed (NXDOMAIN)" endpoints=0`,
		`"MX" domain="a.com." result="forwarding failed (no records)" endpoints=0`,
	} {
		w.eventually(want+" is logged", func() bool { return strings.Contains(w.log.String(), "\tdebug\tdns\t"+who+want+"\n") })
	}
}

// metrics are the samples of one name.
func (w *world) metrics(name string) (all []string) {
	var b strings.Builder
	if err := w.telemetry.WriteMetrics(&b); err != nil {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, name+"{") {
			all = append(all, strings.TrimSpace(line))
		}
	}
	return all
}

// trace is the text of the one trace that there is.
func (w *world) trace() string {
	w.t.Helper()
	if err := w.telemetry.Settle(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	if err := w.tree.PrintAll(); err != nil {
		w.t.Fatal(err)
	}
	return w.printed.String()
}

func TestTraces(t *testing.T) {
	up := serveNames(t, zone(t, soa, "a.com. 60 A 10.0.0.1"))
	for _, test := range []struct {
		name string
		want []string
	}{
		{"cart.ns1.svc.cluster.local.", []string{
			"dns.query", "dns.question.name=cart.ns1.svc.cluster.local.", "answered_by=mesh", "dns.answers=10.0.0.9", "dns.rcode=NOERROR", "dns.resolve", "dns.tried=cart.ns1.svc.cluster.local",
		}},
		{"a.com.", []string{"dns.query", "dns.resolve", `dns.tried="a.com a.com.svc.cluster.local a.com.ns1.svc.cluster.local"`, "dns.forward", up.addr.String(), "answered_by=\"name server\"", "dns.cached=false"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, servers(patience, up.addr))
			w.know([]*messages.Workload{client()}, []*messages.Service{kube("ns1", "cart", "10.0.0.9")})
			w.query("udp", test.name, wire.TypeA)
			got := w.trace()
			for _, want := range test.want {
				if !strings.Contains(got, want) {
					t.Errorf("the trace lacks %s:\n%s", want, got)
				}
			}
		})
	}
}

func TestFailuresAreTraced(t *testing.T) {
	up := serveNames(t, func(w wire.ResponseWriter, q *wire.Msg) {
		_ = w.WriteMsg(new(wire.Msg).SetRcode(q, wire.RcodeServerFailure))
	})
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, nil)
	w.query("udp", "a.com.", wire.TypeA)
	if got := w.trace(); !strings.Contains(got, "servfail") || !strings.Contains(got, "answered_by=nobody") {
		t.Errorf("the trace:\n%s", got)
	}
}

func TestNamesForSOCKS(t *testing.T) {
	up := serveNames(t, zone(t, soa, "a.com. 60 A 10.0.0.1", "a.com. 60 AAAA 2001:db8::1"))
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, []*messages.Service{kube("ns1", "cart", "10.0.0.9", "2001:db8::9")})
	for name, want := range map[string]string{
		"cart.ns1":     "[10.0.0.9 2001:db8::9] <nil>",
		"a.com":        "[10.0.0.1 2001:db8::1] <nil>",
		"10.1.2.3":     "[10.1.2.3] <nil>",
		"nobody.com":   "[] <nil>",
		"localhost":    "[127.0.0.1 ::1] <nil>",
		"\xff.invalid": "[] <nil>",
	} {
		m, err := kit.AskFor[*messages.NameResolved](t.Context(), w.system, w.proxy, &messages.ResolveName{Question: messages.Question{ID: 7}, Hostname: name}, patience)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		slices.SortFunc(m.Addrs, netip.Addr.Compare)
		if got := fmt.Sprint(m.Addrs, " ", m.Err); got != want || m.ID != 7 || m.Hostname != name {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestDrainWaitsForAnswers(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{}, 1)
	good := zone(t, soa, "a.com. 60 A 10.0.0.1")
	up := serveNames(t, func(w wire.ResponseWriter, q *wire.Msg) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-release
		good(w, q)
	})
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, nil)
	c := w.dial("udp")
	w.send(c, "a.com.")
	<-asked
	drained := make(chan error, 1)
	go func() {
		_, err := kit.AskFor[*messages.Drained](t.Context(), w.system, w.proxy, &messages.Drain{Deadline: patience}, patience)
		drained <- err
	}()
	w.eventually("it drains", func() bool { return slices.Contains(w.said.all(), "draining") })
	if l, err := kernel().Listen(t.Context(), w.addr, socket.ListenOptions{}); err != nil {
		t.Errorf("the TCP port is not free for a successor: %v", err)
	} else {
		_ = l.Close()
	}
	close(release)
	if n, err := c.Read(make([]byte, 512)); err != nil || n == 0 {
		t.Errorf("the answer: %d bytes, %v", n, err)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if got := w.said.all(); !slices.Equal(got, []string{"started", "draining", "drained"}) {
		t.Errorf("said %q", got)
	}
}

func TestImmediateDrainDoesNotWait(t *testing.T) {
	held := make(chan struct{})
	up := serveNames(t, func(wire.ResponseWriter, *wire.Msg) { <-held })
	defer close(held)
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, nil)
	w.send(w.dial("udp"), "a.com.")
	w.eventually("the name server is asked", func() bool { return w.limits.UnderWay() == 1 })
	if _, err := kit.AskFor[*messages.Drained](t.Context(), w.system, w.proxy, &messages.Drain{Mode: messages.DrainImmediate}, patience); err != nil {
		t.Error(err)
	}
}

func TestDomainWatch(t *testing.T) {
	var w domainWatch
	told := 0
	for range 3 * suspicious {
		if w.see("a.b.svc.other.domain", "cluster.local") == "other.domain" {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
	w = domainWatch{}
	w.see("a.b.svc.cluster.local", "cluster.local")
	for range 3 * suspicious {
		if w.see("a.b.svc.other.domain", "cluster.local") != "" {
			t.Error("told although our own domain is in use")
		}
	}
}
