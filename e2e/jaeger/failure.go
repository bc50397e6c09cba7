package jaeger

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
)

// SlowStoreFor is how long the store of [Slow] keeps its first asker waiting.
const SlowStoreFor = 300 * time.Millisecond

// Failure is a way in which calls go wrong.
type Failure struct {
	// Name chooses it, Title says what it is.
	Name, Title string
	// Search finds its traces in Jaeger.
	Search Search
	// Traces is how many connections it takes, End the last span of each.
	Traces int
	End    messages.SpanName
	// Run makes its calls and returns what became of each.
	Run func(ctx context.Context, m *Mesh) ([]Outcome, error)
}

// Search is what is filled in on Jaeger's search page, beside the service.
type Search struct {
	Operation, Tags, MinDuration string
}

// Outcome is what the client had of a call.
type Outcome struct {
	Answer string
	Err    error
}

// The failures.
var (
	Denied = Failure{
		Name: "denied", Title: "a policy denies the call", Search: Search{Tags: "error.type=policy_denied"},
		Traces: 1, End: messages.SpanConnect, Run: once(AdminPort),
	}
	Dead = Failure{
		Name: "dead", Title: "nobody listens where the call goes", Search: Search{Tags: "error.type=connection_refused"},
		Traces: 1, End: messages.SpanConnect, Run: once(DeadPort),
	}
	Slow = Failure{
		Name: "slow", Title: "the services store of " + NodeA + " is slow, and two calls ask it",
		Search: Search{Operation: messages.SpanClassify.String(), MinDuration: "100ms"},
		Traces: 2, End: messages.SpanTunnelClose, Run: slowStore,
	}
)

// Failures are all failures.
func Failures() []Failure { return []Failure{Denied, Dead, Slow} }

func once(port uint16) func(context.Context, *Mesh) ([]Outcome, error) {
	return func(ctx context.Context, _ *Mesh) ([]Outcome, error) {
		text, err := Call(ctx, port)
		return []Outcome{{text, err}}, nil
	}
}

// slowStore makes two calls. The store takes its time with the first one's question; the second one's lies in its
// mailbox meanwhile.
func slowStore(ctx context.Context, m *Mesh) ([]Outcome, error) {
	rule := fault.On[messages.FindUpstream](m.Faults[0], state.RoleServices).Once().Slow(SlowStoreFor)
	defer rule.Release()
	first := make(chan Outcome, 1)
	go func() {
		text, err := Call(ctx, ShopPort)
		first <- Outcome{text, err}
	}()
	err := rule.Await(1, callTimeout)
	if err != nil {
		err = fmt.Errorf("slow the services store of %s down: %w", NodeA, err)
	}
	text, failed := Call(ctx, ShopPort)
	return []Outcome{<-first, {text, failed}}, err
}
