package jaeger

import (
	"strconv"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

func TestSlowStoreIsSeenAsMailboxWait(t *testing.T) {
	b := backendFor(t)
	service := b.service("slow-store")
	m := begin(t, b.environ(service, "parentbased_always_on"))
	if _, err := Call(t.Context(), ShopPort); err != nil {
		t.Fatal(err)
	}
	outcomes, err := Slow.Run(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range outcomes {
		if o.Err != nil || o.Answer != answer {
			t.Errorf("a call %s", o)
		}
	}
	suffered, waited := 0, 0
	for _, found := range b.await(t, service, Slow.Search, Slow.Traces, looksLike(established)) {
		classify := found.span(t, NodeA, "classify")
		wait := mailboxWait(t, classify)
		took := classify.end.Sub(classify.start)
		if f := classify.event(messages.EventFault); f != nil {
			suffered++
			if f.attributes[messages.AttrFault] != "slow" || took < SlowStoreFor || wait != 0 {
				t.Errorf("the first call has the fault %v, took %v and waited %v", f.attributes, took, wait)
			}
			continue
		}
		waited++
		if wait < 100*time.Millisecond || wait > took {
			t.Errorf("the second call waited %v in the store's mailbox, want most of the %v it took", wait, took)
		}
	}
	if suffered != 1 || waited != 1 {
		t.Errorf("%d calls suffered the fault and %d waited behind it, want one each", suffered, waited)
	}
	b.wantWhole(t, service)
}

// mailboxWait is how long the question to the services store lay in its mailbox, as the span says.
func mailboxWait(t *testing.T, classify *span) time.Duration {
	t.Helper()
	for _, e := range classify.events {
		if e.name != messages.EventStoreAnswer || e.attributes[messages.AttrStore] != "services" {
			continue
		}
		text := e.attributes[messages.AttrMailboxWait]
		if text == "" {
			return 0
		}
		micros, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("mailbox wait %q: %v", text, err)
		}
		return time.Duration(micros) * time.Microsecond
	}
	t.Fatal("classify has no answer of the services store")
	return 0
}
