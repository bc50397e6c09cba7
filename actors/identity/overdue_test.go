package identity

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/logs"
)

// A certificate is overdue when a third of the time is left that it had when it came, and nothing better has come since.
func TestOverdue(t *testing.T) {
	id := identityOf(1)
	type event struct {
		at   time.Duration
		life time.Duration // of a certificate that comes; zero is a failure
		back time.Duration // by how much it is dated back
		want bool          // whether what is held afterwards is overdue
	}
	for name, events := range map[string][]event{
		"renewed in time":            {{0, 24 * time.Hour, 0, false}, {13 * time.Hour, 24 * time.Hour, 0, false}},
		"fails for a while":          {{0, 24 * time.Hour, 0, false}, {12 * time.Hour, 0, 0, false}, {15*time.Hour + 59*time.Minute, 0, 0, false}},
		"fails for long":             {{0, 24 * time.Hour, 0, false}, {12 * time.Hour, 0, 0, false}, {16 * time.Hour, 0, 0, true}},
		"heals":                      {{0, 24 * time.Hour, 0, false}, {20 * time.Hour, 0, 0, true}, {21 * time.Hour, 24 * time.Hour, 0, false}},
		"no longer than the one":     {{0, 24 * time.Hour, 0, false}, {12 * time.Hour, 12 * time.Hour, 0, false}, {18 * time.Hour, 6 * time.Hour, 0, true}},
		"a little longer":            {{0, 24 * time.Hour, 0, false}, {12 * time.Hour, 13 * time.Hour, 0, false}, {18 * time.Hour, 8 * time.Hour, 0, false}},
		"dated back by most of it":   {{0, 3 * time.Minute, 2 * time.Minute, false}, {time.Second, 3 * time.Minute, 2 * time.Minute, false}},
		"dated back, and then fails": {{0, 3 * time.Minute, 2 * time.Minute, false}, {39 * time.Second, 0, 0, false}, {40 * time.Second, 0, 0, true}},
		"none at all":                {{0, 0, 0, false}, {time.Hour, 0, 0, false}},
		"expired":                    {{0, time.Hour, 0, false}, {2 * time.Hour, 0, 0, false}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newTestManager(nil)
			waits(t, m, at(0), id, realTime, asker(1))
			for _, e := range events {
				m.running[id] = struct{}{}
				if e.life == 0 {
					m.finished(at(e.at), id, nil, errCA)
				} else {
					m.finished(at(e.at), id, made(t, id, at(e.at-e.back), e.life), nil)
				}
				ends, overdue := m.overdue(at(e.at), id)
				if got := m.measure(at(e.at)).Overdue == 1; overdue != e.want || got != e.want || overdue && ends <= 0 {
					t.Errorf("after %v: overdue %v, measured %v, left %v: want %v", e.at, overdue, got, ends, e.want)
				}
				m.take(m.entries[id])
			}
		})
	}
}

func TestUnavailableIsMeasured(t *testing.T) {
	m := newTestManager(nil)
	for n := range 3 {
		waits(t, m, at(0), identityOf(n), realTime, asker(1))
	}
	m.begin(at(0))
	m.finished(at(0), identityOf(0), nil, errCA)
	m.finished(at(0), identityOf(1), made(t, identityOf(1), at(0), time.Hour), nil)
	if got := m.measure(at(0)); got.Unavailable != 1 || got.Overdue != 0 || got.Held != 3 {
		t.Errorf("%+v", got)
	}
}

// What nears its end is said louder than what only failed once, and hours before.
func TestWhatNearsItsEndIsSaidLoudly(t *testing.T) {
	var ca *slowCA
	var out bytes.Buffer
	var first time.Duration // when it was said
	filter, err := logs.ParseFilter("info")
	if err != nil {
		t.Fatal(err)
	}
	perform(t, func(t *testing.T) Config {
		ca = newSlowCA(t, 24*time.Hour, time.Second)
		log := logs.New(&out, logs.Plain, filter)
		t.Cleanup(func() { _ = log.Close(t.Context()) })
		c := with(ca)(t)
		c.Log = log.Scope("ztunnel::identity::manager")
		return c
	}, func(s *stage) {
		start := time.Now()
		s.certificate(identityOf(1))
		ca.fail(errCA)
		for range 24 {
			s.pass(time.Hour)
			if first == 0 && s.measure().Overdue > 0 {
				first = time.Since(start)
			}
		}
		s.system.Stop(s.pid)
	})
	if first < 15*time.Hour || first > 17*time.Hour {
		t.Errorf("overdue after %v: want a third of a day before the end", first)
	}
	const loud = "warn\tidentity::manager\tcertificate renewal keeps failing; the existing certificate nears its end"
	text := out.String()
	if !strings.Contains(text, loud) || !strings.Contains(text, "info\tidentity::manager\tcertificate renewal failed; the existing certificate is still valid and stays") {
		t.Fatalf("the log: %.2000s", text)
	}
	line := text[strings.Index(text, loud):]
	if line, _, _ = strings.Cut(line, "\n"); !strings.Contains(line, "expires_in=") || !strings.Contains(line, fmt.Sprintf("identity=%q", identityOf(1))) {
		t.Errorf("the line: %s", line)
	}
}
