package fault

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
)

func TestProbeSeesWhatReachesTheHandler(t *testing.T) {
	onStage(t, func(s *stage) {
		probe := Watch[find](s.faults, "house/*")
		stores := Watch[*find](s.faults, "store")
		On[find](s.faults, "store").Nth(2).Drop()
		s.ask("a", "b", "c")
		for _, want := range []string{"a", "a", "b", "c", "c"} { // at the asker, and at the store if it arrives
			if m := probe.MustExpect(t, time.Second); m.Text != want {
				t.Errorf("saw %q, want %q", m.Text, want)
			}
		}
		for _, want := range []string{"a", "c"} {
			if m, err := stores.Expect(0); err != nil || (*m).Text != want {
				t.Errorf("saw %v, %v, want %q", m, err, want)
			}
		}
	})
}

func TestProbeWaits(t *testing.T) {
	onStage(t, func(s *stage) {
		probe := Watch[find](s.faults, "store")
		rule := On[find](s.faults, "store").Hold()
		time.AfterFunc(5*time.Second, func() { s.system.Send(s.asker, &find{Text: "a"}) })
		if err := rule.Await(1, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(s.start); got != 5*time.Second {
			t.Errorf("held after %s", got)
		}
		if _, err := probe.Expect(time.Second); err == nil {
			t.Error("saw what is held")
		}
		rule.Release()
		if m := probe.MustExpect(t, time.Second); m.Text != "a" {
			t.Errorf("saw %q", m.Text)
		}
	})
}

func TestWhatProbesSayInVain(t *testing.T) {
	onStage(t, func(s *stage) {
		finds, jots, idle := Watch[find](s.faults, "store"), Watch[jot](s.faults, "store"), Watch[jot](s.faults, "nobody")
		life := WatchLife(s.faults, "asker")
		rule := On[find](s.faults, "store").Once().Drop()
		_, before := jots.Expect(0)
		s.ask("a", "b", "c")
		finds.MustExpect(t, time.Second)
		_, after := jots.Expect(time.Second)
		_, nobody := idle.Expect(time.Second)
		_, failure := life.ExpectFailure(time.Second)
		_, restart := life.ExpectRestart(time.Second)
		_, death := life.ExpectDeath(time.Second)
		for _, tt := range []struct {
			err  error
			want string
		}{
			{before, `no fault.jot reached "store" within 0s; it handled nothing else; no fault was injected`},
			{after, `no fault.jot reached "store" within 1s; it handled 2 of fault.find; faults injected: 1 by On[fault.find]("store").Once().Drop()`},
			{nobody, `no fault.jot reached "nobody" within 1s; it handled nothing else; faults injected: 1 by On[fault.find]("store").Once().Drop()`},
			{failure, `no actor of "asker" failed within 1s; seen in all: 0 failures, 0 restarts, 0 deaths; faults injected: 1 by On[fault.find]("store").Once().Drop()`},
			{restart, `no actor of "asker" was started anew within 1s; seen in all: 0 failures, 0 restarts, 0 deaths; faults injected: 1 by On[fault.find]("store").Once().Drop()`},
			{death, `no actor of "asker" died within 1s; seen in all: 0 failures, 0 restarts, 0 deaths; faults injected: 1 by On[fault.find]("store").Once().Drop()`},
			{rule.Await(2, time.Second), `rule On[fault.find]("store").Once().Drop() did not strike 2 times within 1s; it was about 3 messages and struck 1 times`},
		} {
			if tt.err == nil || tt.err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", tt.err, tt.want)
			}
			var timeout *TimeoutError
			if !errors.As(tt.err, &timeout) || !timeout.Timeout() {
				t.Errorf("%v is no *TimeoutError", tt.err)
			}
		}
		complaint := &complaints{}
		jots.MustExpect(complaint, 0)
		if complaint.text == "" || complaint.helped == 0 {
			t.Error("the test was not ended")
		}
	})
}

// complaints is a test that only listens.
type complaints struct {
	helped int
	text   string
}

func (c *complaints) Helper()                           { c.helped++ }
func (c *complaints) Fatalf(format string, args ...any) { c.text = fmt.Sprintf(format, args...) }

func TestProbesAreBounded(t *testing.T) {
	f := New()
	probe := Watch[int](f, "store")
	for i := range MaxSeen + 5 {
		f.Handling(kit.Target{Role: "store"}, i)
	}
	for i := range maxOthers + 5 {
		f.Handling(kit.Target{Role: "store"}, kinds[i%len(kinds)])
	}
	for i := range MaxSeen {
		if m, err := probe.Expect(0); err != nil || *m != i {
			t.Fatalf("message %d: %v, %v", i, m, err)
		}
	}
	_, err := probe.Expect(0)
	if err == nil || !strings.Contains(err.Error(), "5 more were seen than could be kept") {
		t.Errorf("err %v", err)
	}
	if n := len(probe.others); n != maxOthers {
		t.Errorf("tells %d types apart", n)
	}
}

// kinds are values of more types than a probe tells apart.
var kinds = func() []any {
	var all []any
	var v any = struct{}{}
	for range maxOthers + 5 {
		v = arrayOf(v)
		all = append(all, v)
	}
	return all
}()

func TestClosedProbesSeeNothing(t *testing.T) {
	onStage(t, func(s *stage) {
		probe, life := Watch[find](s.faults, "store"), WatchLife(s.faults, "store")
		probe.Close()
		probe.Close()
		life.Close()
		if !s.faults.Idle() {
			t.Error("still looks at messages")
		}
		On[find](s.faults, "store").Panic(errBroken)
		s.ask("a")
		if _, err := probe.Expect(time.Second); err == nil {
			t.Error("saw a message")
		}
		if _, err := life.ExpectFailure(time.Second); err == nil {
			t.Error("saw a failure")
		}
	})
}

// arrayOf is an array of one of v's type.
func arrayOf(v any) any {
	return reflect.New(reflect.ArrayOf(1, reflect.TypeOf(v))).Elem().Interface()
}
