package sim

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func mustAddrPort(addr string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(addr), port)
}

func denial(from string) *policy { return &policy{key: "ns/p0", deny: true, from: []string{from}} }

// A denial of a at b that is told at 1 s and applied at 2 s.
func TestWhatMayBeInForceWhileAChangeIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		m := &Model{nodes: map[string][]told{}}
		before := &state{workloads: map[string]*workload{"a": {name: "a"}, "b": {name: "b"}}, policies: map[string]*policy{}}
		for _, node := range []string{"a", "b", "c"} {
			m.tell(node, before)
			m.applied(node)
		}
		<-time.After(time.Second)
		after := before.clone()
		after.policies["ns/p0"] = denial("a")
		m.tell("b", after)
		<-time.After(time.Second)
		m.applied("b")

		at := func(d time.Duration) time.Time { return start.Add(d) }
		for _, c := range []struct {
			from, to  time.Duration
			some, all bool
		}{
			{0, 500 * time.Millisecond, true, true},
			{0, 1500 * time.Millisecond, true, false},
			{1500 * time.Millisecond, 1600 * time.Millisecond, true, false},
			{2500 * time.Millisecond, 3 * time.Second, false, false},
		} {
			some, all := m.verdicts("a", "b", portEcho, at(c.from), at(c.to))
			if some != c.some || all != c.all {
				t.Errorf("from %v to %v: some %v, all %v", c.from, c.to, some, all)
			}
			if some, all := m.verdicts("c", "b", portEcho, at(c.from), at(c.to)); !some || !all {
				t.Errorf("c, who is not denied: some %v, all %v", some, all)
			}
		}
		if m.denied("a", "b", portEcho, at(0), at(1500*time.Millisecond), at(3*time.Second)) {
			t.Error("denied while the change is under way")
		}
		if !m.denied("a", "b", portEcho, at(0), at(2500*time.Millisecond), at(3*time.Second)) {
			t.Error("not denied afterwards")
		}
	})
}

// A caller whose node does not know that the called workload speaks HBONE comes without an identity.
func TestIdentityDependsOnWhatTheCallersNodeKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Model{nodes: map[string][]told{}}
		m.tell("a", &state{workloads: map[string]*workload{"b": {name: "b"}, plainWorkload: {name: plainWorkload, plain: true}}})
		m.applied("a")
		now := time.Now()
		for _, c := range []struct{ caller, called, want string }{
			{"a", "b", "a"}, {"a", plainWorkload, ""}, {"a", "c", ""}, {plainWorkload, "b", ""},
		} {
			if got := m.identities(c.caller, c.called, now, now); len(got) != 1 || got[0] != c.want {
				t.Errorf("%s to %s: %q", c.caller, c.called, got)
			}
		}
	})
}
