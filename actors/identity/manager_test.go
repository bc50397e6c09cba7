package identity

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

const (
	realTime   = messages.PriorityRealTime
	warmup     = messages.PriorityWarmup
	background = messages.PriorityBackground
)

var errCA = errors.New("the CA says no")

// waits fetches and wants to wait.
func waits(t *testing.T, m *manager, now time.Time, id messages.Identity, p messages.CertificatePriority, w waiter) {
	t.Helper()
	if a, ok := m.fetch(now, id, p, w); ok {
		t.Fatalf("answered at once: %+v", a)
	}
}

// told fetches and wants an answer at once.
func told(t *testing.T, m *manager, now time.Time, id messages.Identity) answer {
	t.Helper()
	a, ok := m.fetch(now, id, realTime, asker(99))
	if !ok {
		t.Fatal("not answered at once")
	}
	return a
}

func wantBegun(t *testing.T, m *manager, now time.Time, want ...messages.Identity) {
	t.Helper()
	if got := begun(m, now); !slices.Equal(got, want) {
		t.Fatalf("begin %v: want %v", got, want)
	}
}

func TestOneAttemptForAllThatWait(t *testing.T) {
	m := newTestManager(nil)
	id := identityOf(1)
	for i := range uint64(3) {
		waits(t, m, at(0), id, realTime, asker(i))
	}
	wantBegun(t, m, at(0), id)
	wantBegun(t, m, at(0))
	waits(t, m, at(0), id, realTime, asker(3))
	c := made(t, id, at(0), time.Hour)
	answers, kept, next := m.finished(at(time.Second), id, c, nil)
	if len(answers) != 4 || kept {
		t.Fatalf("%d answers, kept %v: want 4", len(answers), kept)
	}
	for i, a := range answers {
		if a.certificate != c || a.err != nil || a.id != uint64(i) {
			t.Errorf("answer %d: %+v", i, a)
		}
	}
	if want := c.RefreshAt(); !next.Equal(want) || !m.wake().Equal(want) {
		t.Errorf("next attempt at %v, wake %v: want half-life %v", next, m.wake(), want)
	}
	if a := told(t, m, at(2*time.Second), id); a.certificate != c || a.id != 99 {
		t.Errorf("later: %+v", a)
	}
	if m.counts.Coalesced != 3 || m.waiting != 0 {
		t.Errorf("coalesced %d, waiting %d: want 3, 0", m.counts.Coalesced, m.waiting)
	}
}

func TestPriority(t *testing.T) {
	m := newTestManager(func(c *Config) { c.Concurrency = 1 })
	one, two, three, four := identityOf(1), identityOf(2), identityOf(3), identityOf(4)
	waits(t, m, at(0), one, warmup, waiter{})
	wantBegun(t, m, at(0), one)
	waits(t, m, at(1), two, background, waiter{})
	waits(t, m, at(2), three, warmup, waiter{})
	waits(t, m, at(3), four, realTime, asker(1))
	wantBegun(t, m, at(4))
	order := []messages.Identity{one, four, three, two}
	for i, id := range order {
		m.finished(at(5), id, made(t, id, at(0), time.Hour), nil)
		wantBegun(t, m, at(5), order[min(i+1, 4):min(i+2, 4)]...)
	}
	wantBegun(t, m, at(29*time.Minute))
	if m.wake().Before(at(29 * time.Minute)) {
		t.Errorf("wake at %v: before half-life", m.wake())
	}
}

func TestRefreshesComeInTheOrderInWhichTheyAreDue(t *testing.T) {
	m := newTestManager(func(c *Config) { c.Concurrency = 1 })
	for i := range 3 {
		id := identityOf(i)
		waits(t, m, at(0), id, warmup, waiter{})
		wantBegun(t, m, at(0), id)
		m.finished(at(0), id, made(t, id, at(0), time.Duration(3-i)*time.Hour), nil)
	}
	for _, want := range []int{2, 1, 0} {
		wantBegun(t, m, at(4*time.Hour), identityOf(want))
		m.finished(at(4*time.Hour), identityOf(want), made(t, identityOf(want), at(4*time.Hour), time.Hour), nil)
	}
}

func TestARaisedWarmupOvertakes(t *testing.T) {
	m := newTestManager(func(c *Config) { c.Concurrency = 1 })
	for i := range 4 {
		waits(t, m, at(time.Duration(i)), identityOf(i), warmup, waiter{})
	}
	wantBegun(t, m, at(9), identityOf(0))
	waits(t, m, at(9), identityOf(3), realTime, asker(1))
	waits(t, m, at(9), identityOf(3), background, asker(2)) // lowers nothing
	waits(t, m, at(9), identityOf(7), realTime, asker(3))   // new, and behind it
	for _, want := range []int{3, 7, 1, 2} {
		m.finished(at(10), m.runningOne(), nil, errCA)
		wantBegun(t, m, at(10), identityOf(want))
	}
}

// runningOne is the attempt that runs.
func (m *manager) runningOne() messages.Identity {
	for id := range m.running {
		return id
	}
	return messages.Identity{}
}

func TestFailureIsCachedUntilTheNextAttempt(t *testing.T) {
	m := newTestManager(nil)
	id := identityOf(1)
	waits(t, m, at(0), id, realTime, asker(1))
	wantBegun(t, m, at(0), id)
	answers, kept, next := m.finished(at(0), id, nil, errCA)
	if len(answers) != 1 || !errors.Is(answers[0].err, errCA) || kept {
		t.Fatalf("answers %+v, kept %v", answers, kept)
	}
	if want := at(800 * time.Millisecond); !next.Equal(want) { // 1 s - 20 %
		t.Fatalf("next attempt at %v: want %v", next, want)
	}
	if a := told(t, m, at(700*time.Millisecond), id); !errors.Is(a.err, errCA) {
		t.Fatalf("meanwhile: %+v", a)
	}
	wantBegun(t, m, at(700*time.Millisecond))
	wantBegun(t, m, at(800*time.Millisecond), id)
	if _, _, next = m.finished(at(time.Second), id, nil, errCA); !next.Equal(at(2600 * time.Millisecond)) {
		t.Fatalf("the next attempt but one at %v: want twice the delay", next)
	}
	wantBegun(t, m, next, id)
	c := made(t, id, next, time.Hour)
	m.finished(next, id, c, nil)
	if a := told(t, m, next, id); a.certificate != c {
		t.Fatalf("after success: %+v", a)
	}
	wantBegun(t, m, c.RefreshAt(), id)
	if _, _, again := m.finished(c.RefreshAt(), id, nil, errCA); !again.Equal(c.RefreshAt().Add(800 * time.Millisecond)) {
		t.Fatalf("success did not clear the back-off: %v", again)
	}
}

func TestAValidCertificateOutlivesFailures(t *testing.T) {
	m := newTestManager(nil)
	id := identityOf(1)
	waits(t, m, at(0), id, realTime, asker(1))
	wantBegun(t, m, at(0), id)
	c := made(t, id, at(0), 100*time.Second)
	_, _, next := m.finished(at(0), id, c, nil)
	kept := true
	now := next
	for n := 0; kept; n++ {
		if n > 20 {
			t.Fatal("kept for ever")
		}
		wantBegun(t, m, now, id)
		if a := told(t, m, now, id); a.certificate != c {
			t.Fatalf("while the attempt runs: %+v", a)
		}
		_, kept, next = m.finished(now, id, nil, errCA)
		if kept {
			if a := told(t, m, now, id); a.certificate != c {
				t.Fatalf("after the failure at %v: %+v", now, a)
			}
			if next.After(c.NotAfter) || !next.After(now) {
				t.Fatalf("next attempt at %v, now %v, expiry %v", next, now, c.NotAfter)
			}
			now = next
			if now.Equal(c.NotAfter) {
				break
			}
		}
	}
	if m.counts.Retained == 0 {
		t.Error("nothing was counted as retained")
	}
	wantBegun(t, m, c.NotAfter, id)
	m.finished(c.NotAfter, id, nil, errCA)
	if a := told(t, m, c.NotAfter, id); a.certificate != nil || !errors.Is(a.err, errCA) {
		t.Fatalf("once it has expired: %+v", a)
	}
}

func TestAnExpiredCertificateIsNotHandedOut(t *testing.T) {
	m := newTestManager(func(c *Config) { c.Concurrency = 1 })
	id, busy := identityOf(1), identityOf(2)
	waits(t, m, at(0), id, realTime, asker(1))
	wantBegun(t, m, at(0), id)
	c := made(t, id, at(0), time.Minute)
	m.finished(at(0), id, c, nil)
	waits(t, m, at(0), busy, realTime, asker(2))
	wantBegun(t, m, at(0), busy) // the only slot, for long
	wantBegun(t, m, at(50*time.Second))
	waits(t, m, c.NotAfter, id, realTime, asker(3))
	waits(t, m, c.NotAfter, identityOf(3), warmup, waiter{})
	m.finished(c.NotAfter, busy, nil, errCA)
	wantBegun(t, m, c.NotAfter, id) // raised from the background
	fresh := made(t, id, c.NotAfter, time.Minute)
	answers, _, _ := m.finished(c.NotAfter, id, fresh, nil)
	if len(answers) != 1 || answers[0].certificate != fresh || answers[0].id != 3 {
		t.Fatalf("answers %+v", answers)
	}
}

func TestForget(t *testing.T) {
	id := identityOf(1)
	t.Run("unknown", func(t *testing.T) {
		if answers := newTestManager(nil).forget(id); answers != nil {
			t.Fatalf("answers %v", answers)
		}
	})
	t.Run("queued", func(t *testing.T) {
		m := newTestManager(nil)
		waits(t, m, at(0), id, realTime, asker(1))
		answers := m.forget(id)
		if len(answers) != 1 || !errors.Is(answers[0].err, ErrForgotten) {
			t.Fatalf("answers %+v", answers)
		}
		wantBegun(t, m, at(0))
	})
	t.Run("running, and nobody asks again", func(t *testing.T) {
		m := newTestManager(nil)
		waits(t, m, at(0), id, realTime, asker(1))
		wantBegun(t, m, at(0), id)
		if answers := m.forget(id); len(answers) != 1 {
			t.Fatalf("answers %+v", answers)
		}
		if answers, _, next := m.finished(at(1), id, made(t, id, at(0), time.Hour), nil); answers != nil || !next.IsZero() {
			t.Fatalf("answers %+v, next %v", answers, next)
		}
		if len(m.entries) != 0 || !m.wake().IsZero() {
			t.Fatalf("%d entries, wake %v", len(m.entries), m.wake())
		}
	})
	t.Run("running, and asked for again", func(t *testing.T) {
		m := newTestManager(nil)
		waits(t, m, at(0), id, realTime, asker(1))
		wantBegun(t, m, at(0), id)
		m.forget(id)
		waits(t, m, at(1), id, realTime, asker(2))
		wantBegun(t, m, at(1)) // the attempt that runs will do
		c := made(t, id, at(0), time.Hour)
		if answers, _, _ := m.finished(at(2), id, c, nil); len(answers) != 1 || answers[0].id != 2 || answers[0].certificate != c {
			t.Fatalf("answers %+v", answers)
		}
	})
	t.Run("available", func(t *testing.T) {
		m := newTestManager(nil)
		waits(t, m, at(0), id, realTime, asker(1))
		wantBegun(t, m, at(0), id)
		m.finished(at(0), id, made(t, id, at(0), time.Hour), nil)
		m.forget(id)
		if len(m.entries) != 0 || !m.wake().IsZero() || m.counts.Forgotten != 1 {
			t.Fatalf("%d entries, wake %v, forgotten %d", len(m.entries), m.wake(), m.counts.Forgotten)
		}
	})
	t.Run("the back-off stays", func(t *testing.T) {
		m := newTestManager(nil)
		for n, want := range []time.Duration{800 * time.Millisecond, 1600 * time.Millisecond} {
			waits(t, m, at(0), id, realTime, asker(uint64(n)))
			wantBegun(t, m, at(0), id)
			if _, _, next := m.finished(at(0), id, nil, errCA); !next.Equal(at(want)) {
				t.Fatalf("next attempt at %v: want %v", next, at(want))
			}
			m.forget(id)
		}
	})
}

func TestBounds(t *testing.T) {
	m := newTestManager(func(c *Config) { c.MaxIdentities, c.MaxWaiters = 2, 3 })
	waits(t, m, at(0), identityOf(1), realTime, asker(1))
	waits(t, m, at(0), identityOf(2), realTime, asker(2))
	if a := told(t, m, at(0), identityOf(3)); !errors.Is(a.err, ErrTooManyIdentities) {
		t.Errorf("a third identity: %+v", a)
	}
	waits(t, m, at(0), identityOf(2), realTime, asker(3))
	if a := told(t, m, at(0), identityOf(2)); !errors.Is(a.err, ErrTooManyWaiters) {
		t.Errorf("a fourth waiter: %+v", a)
	}
	waits(t, m, at(0), identityOf(2), warmup, waiter{}) // waits for nothing
	if m.counts.RefusedIdentities != 1 || m.counts.RefusedWaiters != 1 {
		t.Errorf("counted %+v", m.counts)
	}
	m.forget(identityOf(2))
	waits(t, m, at(0), identityOf(3), realTime, asker(4))
}

func TestBackoffsOfForgottenIdentitiesAreBounded(t *testing.T) {
	m := newTestManager(func(c *Config) { c.MaxIdentities = 4 })
	for i := range 50 {
		id := identityOf(i)
		waits(t, m, at(0), id, realTime, asker(1))
		wantBegun(t, m, at(0), id)
		m.finished(at(0), id, nil, errCA)
		m.forget(id)
		if len(m.failing) > 4 {
			t.Fatalf("%d back-offs are kept: want at most 4", len(m.failing))
		}
	}
}

func TestRefreshTime(t *testing.T) {
	id := identityOf(1)
	for _, tt := range []struct {
		name   string
		random float64
		from   time.Duration // when the certificate begins
		life   time.Duration
		want   time.Duration // after now, which is 0
	}{
		{"half-life", 0, 0, 100 * time.Hour, 50*time.Hour - time.Minute},
		{"jitter only makes it later", 0.999999999, 0, 100 * time.Hour, 55*time.Hour - time.Minute},
		{"past half-life already", 0, -80 * time.Hour, 100 * time.Hour, time.Second},
		{"not valid yet", 0, 10 * time.Hour, 100 * time.Hour, time.Second},
	} {
		m := newTestManager(func(c *Config) { c.Random = func() float64 { return tt.random } })
		waits(t, m, at(0), id, realTime, asker(1))
		wantBegun(t, m, at(0), id)
		_, _, next := m.finished(at(0), id, made(t, id, at(tt.from), tt.life), nil)
		if got := next.Sub(at(0)); got < tt.want-time.Second || got > tt.want+time.Minute {
			t.Errorf("%s: refresh after %v: want %v", tt.name, got, tt.want)
		}
	}
}

// A CA dates certificates back, and that may be most of their life: they must be renewed in what is left of it.
func TestRefreshOfACertificateThatIsDatedBack(t *testing.T) {
	m := newTestManager(func(c *Config) { c.Random = func() float64 { return 0.999 } })
	id := identityOf(1)
	waits(t, m, at(0), id, realTime, asker(1))
	wantBegun(t, m, at(0), id)
	c := made(t, id, at(-2*time.Minute), 2*time.Minute+4*time.Second)
	if _, _, next := m.finished(at(0), id, c, nil); !next.Before(c.NotAfter) {
		t.Errorf("it ends at %v and is renewed at %v", c.NotAfter, next)
	}
}
