package sim

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fake is a life of which only what a test sets up has happened: call 0, from a to b's echo, denied to nobody.
func fake() (*life, *spoken, *served) {
	now := time.Now()
	l := &life{
		plan: &Plan{}, begun: now, entered: &entrances{}, drained: map[string]time.Time{},
		model: &Model{nodes: map[string][]told{}}, out: &Life{Ends: map[string]int{}, Access: map[string][]string{}, History: &History{}},
	}
	first := &state{workloads: map[string]*workload{}, policies: map[string]*policy{}}
	for _, name := range meshed {
		first.workloads[name] = &workload{name: name, ip: addresses[name]}
	}
	for _, name := range meshed {
		l.model.tell(name, first)
		l.model.applied(name)
	}
	c := &spoken{
		call:  &call{from: "a", to: mustAddrPort(addresses["b"], portEcho)},
		start: now, end: now.Add(time.Minute), connected: true, local: "10.0.0.1:40000",
		sent: 100, sentAll: true, got: 100, gotEnd: true,
	}
	s := &served{
		host: "b", port: portEcho, peer: netip.MustParseAddr(addresses["a"]), accepted: now, over: now.Add(time.Minute),
		got: 100, gotEnd: true, sent: 100, sentAll: true,
	}
	l.spoken, l.apps.all = []*spoken{c}, []*served{s}
	l.out.Access["a"] = []string{"info\taccess\tconnection complete\tsrc.addr=10.0.0.1:40000 direction=\"outbound\""}
	return l, c, s
}

// Every check sees what it is there for.
func TestChecksSee(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(l *life, c *spoken, s *served)
		want  string // in a problem; empty for none
	}{
		"nothing":             {func(*life, *spoken, *served) {}, ""},
		"other bytes":         {func(_ *life, c *spoken, _ *served) { c.wrong = true }, "the client read something that nobody said"},
		"other bytes, server": {func(_ *life, _ *spoken, s *served) { s.wrong = true }, "read something that call 0 did not say"},
		"too many bytes":      {func(_ *life, _ *spoken, s *served) { s.got = 101 }, "the application read 101 bytes of 100"},
		"lost bytes":          {func(_ *life, c *spoken, s *served) { s.got, s.sent, c.got = 90, 90, 90 }, "went well: the application read 90 bytes of 100"},
		"lost answer":         {func(_ *life, c *spoken, _ *served) { c.got = 90 }, "went well: the client read 90 bytes of 100"},
		"another place":       {func(_ *life, _ *spoken, s *served) { s.host = "c" }, "arrived at c"},
		"twice": {func(l *life, _ *spoken, s *served) {
			again := *s
			l.apps.all = append(l.apps.all, &again)
		}, "arrived twice"},
		"failed in a calm": {func(l *life, _ *spoken, _ *served) {
			l.out.Access["a"][0] = strings.Replace(l.out.Access["a"][0], "info", "error", 1)
		}, "nothing stood in its way"},
		"denied before": {func(l *life, _ *spoken, s *served) {
			deny(l)
			<-time.After(time.Second)
			s.accepted = time.Now()
			l.spoken[0].start = time.Now()
		}, "no policy in force allowed it"},
		"denied later": {func(l *life, _ *spoken, _ *served) {
			<-time.After(time.Second)
			deny(l)
		}, "was denied at +1s and lived until +1m0s"},
		"denied later, ended": {func(l *life, c *spoken, s *served) {
			<-time.After(time.Second)
			deny(l)
			s.over = time.Now().Add(time.Millisecond)
		}, ""},
		"no line":      {func(l *life, _ *spoken, _ *served) { l.out.Access["a"] = nil }, "nothing stood in its way"},
		"wrong level":  {func(l *life, _ *spoken, _ *served) { l.out.Access["a"][0] += ` error="oh"` }, "of the wrong level"},
		"unknown line": {func(l *life, _ *spoken, _ *served) { l.entered = &entrances{} }, "which never came"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, c, s := fake()
				l.entered.flows = map[entrance]int{{"a", netip.MustParseAddrPort(c.local)}: 1}
				test.spoil(l, c, s)
				l.checkCalls()
				l.checkPolicy()
				l.checkLog()
				found := slices.ContainsFunc(l.out.Problems, func(p string) bool { return strings.Contains(p, test.want) })
				if test.want == "" && len(l.out.Problems) > 0 || test.want != "" && !found {
					t.Errorf("problems %q, want %q", l.out.Problems, test.want)
				}
				if len(l.out.Problems) > 0 && !strings.Contains(l.out.Complain(), "-seeds 1 -seed 0") {
					t.Error("does not say how to play it again")
				}
			})
		})
	}
}

// deny denies a at b, from now on.
func deny(l *life) {
	s := l.model.now("b").clone()
	s.policies["ns/p0"] = denial("a")
	l.model.tell("b", s)
	l.model.applied("b")
}
