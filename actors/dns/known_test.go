package dns

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	wire "github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
)

func TestKnown(t *testing.T) {
	kept := func(version uint64) *messages.HostFound {
		return &messages.HostFound{Answer: messages.Answer{Version: version}, Kept: true}
	}
	now := time.Now()
	has := func(k *known, at time.Duration) bool { return k.get([]byte("a"), now.Add(at)) != nil }
	for _, test := range []struct {
		name string
		do   func(k *known)
		at   time.Duration
		want bool
	}{
		{"nothing", func(*known) {}, 0, false},
		{"what was just said", func(k *known) { k.put("a", &knownName{found: kept(1)}, now) }, knownFor, true},
		{"what is no business of the mesh's", func(k *known) { k.put("a", &knownName{}, now) }, 0, true},
		{"what was said long ago", func(k *known) { k.put("a", &knownName{found: kept(1)}, now) }, knownFor + 1, false},
		{"the age is that of the first", func(k *known) {
			k.put("b", &knownName{found: kept(1)}, now)
			k.put("a", &knownName{found: kept(1)}, now.Add(knownFor))
		}, knownFor + 1, false},
		{"what may not be kept", func(k *known) { k.put("a", &knownName{found: &messages.HostFound{}}, now) }, 0, false},
		{"what has changed", func(k *known) {
			k.put("a", &knownName{found: kept(1)}, now)
			k.hostsChanged(&messages.HostsChanged{Version: 2})
		}, 0, false},
		{"what was said after the change", func(k *known) {
			k.hostsChanged(&messages.HostsChanged{Version: 2})
			k.put("a", &knownName{found: kept(2)}, now)
		}, 0, true},
		{"what was said before the change, and comes late", func(k *known) {
			k.hostsChanged(&messages.HostsChanged{Version: 2})
			k.put("a", &knownName{found: kept(1)}, now)
		}, 0, false},
		{"what a later change of an earlier version forgets", func(k *known) {
			k.hostsChanged(&messages.HostsChanged{Version: 2})
			k.hostsChanged(&messages.HostsChanged{Version: 1})
			k.put("a", &knownName{found: kept(1)}, now)
		}, 0, false},
		{"what makes room", func(k *known) {
			k.put("a", &knownName{}, now)
			for i := range maxKnown {
				k.put(fmt.Sprint(i), &knownName{}, now)
			}
		}, 0, false},
	} {
		k := new(known)
		if test.do(k); has(k, test.at) != test.want || len(k.names) > maxKnown {
			t.Errorf("%s: %d names are known, want it to be: %v", test.name, len(k.names), test.want)
		}
	}
	k := new(known)
	if !k.put("a", &knownName{}, now) || k.put("b", &knownName{}, now) {
		t.Error("only the first must be told of")
	}
	if k.end(); k.names != nil || !k.put("a", &knownName{}, now) {
		t.Error("after the end the next is the first")
	}
}

// TestChangesAreAnswered asks for a name over and over, while its service changes: each answer is that of the state.
func TestChangesAreAnswered(t *testing.T) {
	up := serveNames(t, zone(t, soa, "cart.ns1. 60 A 10.9.9.9"))
	w := newWorld(t, servers(patience, up.addr))
	w.know([]*messages.Workload{client()}, nil)
	want := func(address string) {
		t.Helper()
		for range 3 {
			if m := w.query("udp", "cart.ns1.", wire.TypeA); len(m.Answer) != 1 || m.Answer[0].(*wire.A).A.String() != address {
				t.Fatalf("answered %s, want %s", m, address)
			}
		}
	}
	want("10.9.9.9")
	for i := range 20 {
		address := fmt.Sprintf("10.0.0.%d", i)
		w.know(nil, []*messages.Service{kube("ns1", "cart", address)})
		want(address)
	}
	w.system.Send(w.services, &messages.UpdateServices{Remove: []messages.NamespacedHostname{{Namespace: "ns1", Hostname: "cart.ns1.svc.cluster.local"}}})
	want("10.9.9.9")
	if n := up.asked.Load(); n != 1 {
		t.Errorf("the name server was asked %d times", n)
	}
}

// TestQuickAnswersCostLittle counts the allocations of a whole question to a name that is known, on both sides of the socket.
func TestQuickAnswersCostLittle(t *testing.T) {
	up := serveNames(t, zone(t, soa, "a.com. 60 A 10.0.0.1"))
	w := newWorld(t, servers(patience, up.addr), func(c *Config) {
		quiet, err := trace.New(trace.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = quiet.Shutdown(t.Context()) })
		c.Telemetry = quiet
	})
	w.know([]*messages.Workload{client()}, []*messages.Service{kube("ns1", "cart", "10.0.0.1", "10.0.0.2", "2001:db8::1")})
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(w.addr.String())))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	var answer [512]byte
	for _, name := range []string{"CaRt.ns1.", "a.com."} {
		packet, err := new(wire.Msg).SetQuestion(name, wire.TypeA).Pack()
		if err != nil {
			t.Fatal(err)
		}
		n := testing.AllocsPerRun(1000, func() {
			if _, err := c.Write(packet); err != nil {
				t.Fatal(err)
			}
			if n, err := c.Read(answer[:]); err != nil || answer[7] == 0 {
				t.Fatalf("read %x, %v", answer[:n], err)
			}
		})
		if most := 2.0; n > most && !raceEnabled {
			t.Errorf("%s: %v allocations, want at most %v", name, n, most)
		}
	}
}
