package identity

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

func TestDump(t *testing.T) {
	m := newTestManager(nil)
	available, unavailable, initializing := identityOf(3), identityOf(1), identityOf(2)
	for _, id := range []messages.Identity{available, unavailable, initializing} {
		waits(t, m, at(0), id, realTime, asker(1))
	}
	m.begin(at(0))
	c := made(t, available, at(0), time.Hour)
	m.finished(at(0), available, c, nil)
	m.finished(at(0), unavailable, nil, errCA)
	got := m.dump()
	want := []struct{ identity, state string }{
		{unavailable.String(), "Unavailable: the CA says no"}, {initializing.String(), "Initializing"}, {available.String(), "Available"},
	}
	if len(got) != len(want) {
		t.Fatalf("%d entries", len(got))
	}
	for i, w := range want {
		if got[i].Identity != w.identity || got[i].State != w.state {
			t.Errorf("entry %d: %s, %s: want %+v", i, got[i].Identity, got[i].State, w)
		}
		if has := len(got[i].Chain) == 1 && len(got[i].Roots) == 1; has != (w.state == "Available") {
			t.Errorf("entry %d: %d certificates, %d roots", i, len(got[i].Chain), len(got[i].Roots))
		}
	}
	if got[2].Chain[0].SerialNumber != c.SerialNumber() {
		t.Errorf("serial number %s: want %s", got[2].Chain[0].SerialNumber, c.SerialNumber())
	}
}

func TestMeasure(t *testing.T) {
	m := newTestManager(func(c *Config) { c.Concurrency = 3 })
	for n := range 5 {
		waits(t, m, at(time.Duration(n)), identityOf(n), realTime, asker(1))
	}
	m.begin(at(5))
	m.finished(at(0), identityOf(0), made(t, identityOf(0), at(0), 2*time.Hour), nil)
	m.finished(at(0), identityOf(1), made(t, identityOf(1), at(0), time.Hour), nil)
	got := m.measure(at(90 * time.Minute))
	if got.Issued != 2 || got.Held != 5 || got.Running != 1 || got.Queued != 2 || got.Waiting != 3 {
		t.Errorf("%+v", got)
	}
	want := []messages.CertificateExpiry{{Identity: identityOf(1), In: -30 * time.Minute}, {Identity: identityOf(0), In: 30 * time.Minute}}
	if len(got.Expiries) != 2 || got.Expiries[0] != want[0] || got.Expiries[1] != want[1] {
		t.Errorf("expiries %v: want %v", got.Expiries, want)
	}
}

func TestMeasuredExpiriesAreBounded(t *testing.T) {
	m := newTestManager(nil)
	c := made(t, identityOf(0), at(0), time.Hour)
	for n := range maxExpiries + 50 {
		m.entries[identityOf(n)] = &entry{id: identityOf(n), certificate: c}
	}
	if got := m.measure(at(0)); len(got.Expiries) != maxExpiries || got.Held != maxExpiries+50 {
		t.Fatalf("%d expiries of %d held", len(got.Expiries), got.Held)
	}
}

func TestUnknownIdentityIsNotInTheDump(t *testing.T) {
	perform(t, func(t *testing.T) Config { return with(newSlowCA(t, time.Hour, time.Hour/2))(t) }, func(s *stage) {
		if d := s.dump(); len(d) != 0 {
			s.Fatalf("dump %+v", d)
		}
		s.system.Send(s.pid, &messages.FetchCertificate{Identity: identityOf(1)})
		synctest.Wait()
		if d := s.dump(); len(d) != 1 || d[0].State != "Initializing" {
			s.Fatalf("dump %+v", d)
		}
	})
}

func TestAnswersCarryTheVersion(t *testing.T) {
	perform(t, func(t *testing.T) Config { return with(newSlowCA(t, time.Hour, 0))(t) }, func(s *stage) {
		before := s.measure().Version
		if after := s.fetch(identityOf(1)).Version; after <= before {
			s.Errorf("version %d, then %d", before, after)
		}
		if one, two := s.measure().Version, s.measure().Version; one != two {
			s.Errorf("version %d, then %d though nothing changed", one, two)
		}
	})
}
