package sim

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The check of revocation sees what it is there for: b's certificate is revoked when a call from a is a second old.
func TestRevocationCheckSees(t *testing.T) {
	const revoked = "info\taccess\tconnection failed\tsrc.addr=10.0.0.1:40000 direction=\"outbound\" error=\"" + revokedText + `"`
	for name, test := range map[string]struct {
		spoil func(l *life, s *served)
		want  string // in a problem; empty for none
	}{
		"cut": {func(*life, *served) {}, ""},
		"lives on": {func(_ *life, s *served) {
			s.over = s.accepted.Add(time.Minute)
		}, "lived until +1m0s"},
		"lives on until the list is taken back": {func(l *life, s *served) {
			s.over, l.registrar.lifted = s.accepted.Add(time.Minute), l.begun.Add(50*time.Second)
		}, "lived until +1m0s"},
		"taken back at once": {func(l *life, s *served) {
			s.over, l.registrar.lifted = s.accepted.Add(time.Minute), l.begun.Add(2*time.Second)
		}, ""},
		"connected": {func(_ *life, s *served) {
			s.accepted, s.over = s.accepted.Add(10*time.Second), s.accepted.Add(11*time.Second)
		}, "was connected at +10s"},
		"connected when it was taken back": {func(l *life, s *served) {
			s.accepted, s.over = s.accepted.Add(10*time.Second), s.accepted.Add(11*time.Second)
			l.registrar.lifted = l.begun.Add(9 * time.Second)
		}, ""},
		"cut without a reason": {func(l *life, _ *served) {
			l.out.Access["a"][0] = strings.Replace(l.out.Access["a"][0], revokedText, "something else", 1)
		}, `its line says "something else"`},
		"others": {func(l *life, s *served) {
			l.plan.whose, s.over = "c", s.accepted.Add(time.Minute)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, _, s := fake()
				l.plan.whose, l.registrar = "b", &registrar{written: l.begun.Add(time.Second)}
				l.out.Access["a"][0] = revoked
				s.gotEnd, s.over = false, l.begun.Add(time.Second+rereads+time.Millisecond)
				test.spoil(l, s)
				l.checkRevocation()
				found := slices.ContainsFunc(l.out.Problems, func(p string) bool { return strings.Contains(p, test.want) })
				if test.want == "" && len(l.out.Problems) > 0 || test.want != "" && !found {
					t.Errorf("problems %q, want %q", l.out.Problems, test.want)
				}
			})
		})
	}
}

// What a revoked certificate stands in the way of is excused, and nothing else.
func TestRevocationExcuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c, _ := fake()
		l.plan.whose, l.registrar = "b", &registrar{}
		excused := func(want bool, when string) {
			t.Helper()
			if got := l.mayMeetRevocation(c); got != want {
				t.Errorf("%s: excused %v", when, got)
			}
		}
		excused(false, "before anything is revoked")
		l.registrar.written = c.start.Add(time.Second)
		excused(true, "in its time")
		l.plan.whose = "c"
		excused(false, "of somebody else")
		l.plan.whose = "a"
		excused(true, "of the caller")
		l.registrar.written = c.end.Add(time.Second)
		excused(false, "after its end")
		l.registrar.written, l.registrar.lifted = c.start.Add(-time.Minute), c.start.Add(-30*time.Second)
		excused(false, "taken back before")
	})
}
