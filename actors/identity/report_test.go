package identity

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
)

func TestAttemptsAreLoggedAndObserved(t *testing.T) {
	var ca *slowCA
	var out bytes.Buffer
	var attempts []trace.Signed
	filter, err := logs.ParseFilter("debug")
	if err != nil {
		t.Fatal(err)
	}
	perform(t, func(t *testing.T) Config {
		ca = newSlowCA(t, time.Hour, time.Second)
		log := logs.New(&out, logs.Plain, filter)
		t.Cleanup(func() { _ = log.Close(t.Context()) })
		c := with(ca)(t)
		c.Log = log.Scope("ztunnel::identity::manager")
		c.Observe = func(a trace.Signed) (messages.TraceID, messages.SpanID) {
			attempts = append(attempts, a)
			return messages.TraceID{7}, messages.SpanID{8}
		}
		return c
	}, func(s *stage) {
		ca.fail(errCA)
		if f := s.fetch(identityOf(1)); f.Held == 0 || f.SigningTrace != (messages.TraceID{7}) || f.SigningSpan != (messages.SpanID{8}) {
			s.Errorf("who waited for an attempt is not told its trace: %+v", f)
		}
		ca.fail(nil)
		s.pass(3 * time.Second)
		if f := s.fetch(identityOf(1)); f.Err != nil || f.Held == 0 && !f.SigningTrace.IsZero() {
			s.Errorf("fetched %+v", f)
		}
		ca.fail(errCA)
		s.pass(40 * time.Minute)
		s.system.Stop(s.pid)
	})
	if len(attempts) < 3 {
		t.Fatalf("%d attempts observed", len(attempts))
	}
	for i, want := range []struct{ failed, retained bool }{{true, false}, {false, false}, {true, true}} {
		a := attempts[i]
		if (a.Err != nil) != want.failed || a.Retained != want.retained || a.Identity != identityOf(1) || a.Took != time.Second || a.Began.IsZero() {
			t.Errorf("attempt %d: %+v", i, a)
		}
	}
	if attempts[0].Priority != realTime || attempts[2].Priority != background {
		t.Errorf("priorities %v, %v", attempts[0].Priority, attempts[2].Priority)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{
		"warn\tidentity::manager\tcertificate fetch failed and there is no valid certificate",
		"debug\tidentity::manager\tcertificate fetch succeeded",
		"info\tidentity::manager\tcertificate renewal failed; the existing certificate is still valid and stays",
	} {
		if !strings.Contains(lines[i], want) || !strings.Contains(lines[i], `identity="spiffe://cluster.local/ns/default/sa/id1"`) {
			t.Errorf("line %d: %s: want %s", i, lines[i], want)
		}
	}
	if !strings.Contains(lines[0], `error="the CA says no"`) || !strings.Contains(lines[0], "retry_at=") {
		t.Errorf("line 0: %s", lines[0])
	}
}
