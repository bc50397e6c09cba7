package identity

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// Whatever happens in whatever order, every fetch is answered exactly once, nothing runs twice at a time, bounds hold
// and no expired certificate is handed out.
func TestManagerInvariants(t *testing.T) {
	const identities = 5
	lives := []time.Duration{time.Minute, time.Hour}
	pool := map[int][]*mtls.Certificate{} // certificates begin where the test's time does: later they have expired
	for n := range identities {
		for _, life := range lives {
			pool[n] = append(pool[n], made(t, identityOf(n), begin, life))
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		m := newTestManager(func(c *Config) { c.Concurrency, c.MaxIdentities, c.MaxWaiters = 2, 4, 6 })
		now, next := begin, uint64(0)
		open := map[uint64]bool{}
		active := map[messages.Identity]bool{}
		take := func(answers []answer) {
			for _, a := range answers {
				if !open[a.id] {
					t.Fatalf("question %d is answered twice or was never asked", a.id)
				}
				delete(open, a.id)
				if (a.certificate == nil) == (a.err == nil) {
					t.Fatalf("answer with certificate %v and error %v", a.certificate != nil, a.err)
				}
				if a.certificate != nil && !now.Before(a.certificate.NotAfter) {
					t.Fatal("an expired certificate was handed out")
				}
			}
		}
		anyOne := rapid.IntRange(0, identities-1)
		t.Repeat(map[string]func(*rapid.T){
			"fetch": func(t *rapid.T) {
				next++
				open[next] = true
				p := messages.CertificatePriority(rapid.IntRange(0, 2).Draw(t, "priority"))
				if a, ok := m.fetch(now, identityOf(anyOne.Draw(t, "identity")), p, asker(next)); ok {
					take([]answer{a})
				}
			},
			"begin": func(t *rapid.T) {
				for _, a := range m.begin(now) {
					if active[a.id] {
						t.Fatalf("%v begins twice", a.id)
					}
					active[a.id] = true
				}
			},
			"finish": func(t *rapid.T) {
				n := anyOne.Draw(t, "identity")
				id := identityOf(n)
				if !active[id] {
					t.Skip("does not run")
				}
				delete(active, id)
				c := pool[n][rapid.IntRange(0, len(lives)-1).Draw(t, "life")]
				if rapid.Bool().Draw(t, "fails") || !now.Before(c.NotAfter) {
					answers, _, _ := m.finished(now, id, nil, errCA)
					take(answers)
					return
				}
				answers, _, _ := m.finished(now, id, c, nil)
				take(answers)
			},
			"forget": func(t *rapid.T) { take(m.forget(identityOf(anyOne.Draw(t, "identity")))) },
			"wait": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(1, 1000).Draw(t, "seconds")) * time.Second)
			},
			"": func(t *rapid.T) {
				check(t, m, len(open))
				if len(active) > m.concurrency || len(active) != len(m.running) {
					t.Fatalf("%d run, the manager says %d", len(active), len(m.running))
				}
			},
		})
	})
}

func check(t *rapid.T, m *manager, open int) {
	waiting := 0
	for id, e := range m.entries {
		waiting += len(e.waiters)
		_, runs := m.running[id]
		switch e.place {
		case ready:
			if m.ready.entries[e.index] != e {
				t.Fatalf("%v is not where it says", id)
			}
		case scheduled:
			if m.scheduled.entries[e.index] != e || len(e.waiters) > 0 {
				t.Fatalf("%v is not where it says, or %d wait for what is far off", id, len(e.waiters))
			}
		case running:
			if !runs {
				t.Fatalf("%v does not run", id)
			}
		default:
			t.Fatalf("%v is nowhere", id)
		}
	}
	if waiting != open || waiting != m.waiting || waiting > m.maxWaiters || len(m.entries) > m.maxIdentities {
		t.Fatalf("%d wait, counted %d, asked %d; %d identities", waiting, m.waiting, open, len(m.entries))
	}
	if n := m.ready.Len() + m.scheduled.Len(); n > len(m.entries) {
		t.Fatalf("%d queued of %d", n, len(m.entries))
	}
}
