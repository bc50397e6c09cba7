package state

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// Patience is how long a store that has lost its state holds a question before it refuses it.
const Patience = 5 * time.Second

// maxHeld bounds the questions that a store holds meanwhile.
const maxHeld = 1024

// keeper is what the stores of delivered state have in common: whether their state is there, and what they do with
// questions as long as it is not.
//
//	first start   lost until the first delivery is complete
//	restarted     lost until a delivery that began with Reset is complete: what comes before may be a part only
type keeper struct {
	role      string
	discovery func() *actor.PID
	counters  *Counters
	lost      bool
	restarted bool
	resetSeen bool
	held      waitlist
}

// history outlives the incarnations of a store: how often it has started, and the version it had come to, so that
// versions never go back. Passed numbers what the workload store tells the service store.
type history struct {
	starts  int
	version uint64
	passed  uint64
}

func newKeeper(role string, cfg Config) keeper {
	return keeper{
		role: role, discovery: cfg.Discovery, counters: cfg.Counters, lost: true, held: waitlist{limit: maxHeld},
	}
}

// started tells discovery if this is not the first start.
func (k *keeper) started(ctx actor.Context, h *history) {
	h.starts++
	if k.restarted = h.starts > 1; k.restarted {
		k.tellLost(ctx, k.discovery)
		kit.After(ctx, Patience, &stillLost{})
	}
}

// stillLost says that a store which has lost its state should have it back.
type stillLost struct{}

// stillLost tells discovery again: what it was told, or what it delivered, may have got lost.
func (k *keeper) stillLost(ctx actor.Context) {
	if k.lost {
		k.tellLost(ctx, k.discovery)
		kit.After(ctx, Patience, &stillLost{})
	}
}

func (k *keeper) tellLost(ctx actor.Context, whom func() *actor.PID) {
	if whom == nil {
		return
	}
	send(ctx, whom(), &messages.StoreLost{Role: k.role})
}

// delivered notes an update; it returns true when the state is there, by this update, again or for the first time.
func (k *keeper) delivered(reset, more bool) bool {
	if !k.lost {
		return false
	}
	k.resetSeen = k.resetSeen || reset
	return !more && (k.resetSeen || !k.restarted)
}

// found ends the loss: what was held is answered.
func (k *keeper) found(ctx actor.Context) {
	k.lost = false
	k.held.release(ctx)
}

// hold keeps a question until the state is there, or refuses it.
func (k *keeper) hold(ctx actor.Context, q *messages.Question, answer func() any) {
	refused := func() any {
		k.counters.Refused.Add(1)
		return &messages.Refused{
			Answer: messages.Answer{ID: q.ID, Asked: q.Waited},
			Text:   "the " + k.role + " store has lost its state and did not get it back in time",
		}
	}
	if !k.held.add(ctx, Patience, answer, refused) {
		ctx.Respond(refused())
	}
}

// reply answers a question, or holds it as long as the state is not there.
func reply[T, Q, A any](k *keeper, ctx actor.Context, table T, header *messages.Question, q *Q, answer func(T, *Q) *A) {
	if k.lost {
		k.hold(ctx, header, func() any { return answer(table, q) })
		return
	}
	ctx.Respond(answer(table, q))
}

// applied notes an update, and answers it if somebody wants to hear of it.
func (h *history) applied(ctx actor.Context, delivery, version uint64) {
	h.version = version
	if ctx.Sender() != nil {
		ctx.Respond(&messages.Applied{Delivery: delivery, Version: version})
	}
}

// spec declares a store.
func spec(role string, cfg Config, make func(cfg Config, h *history) actor.Actor) kit.Spec {
	if cfg.Counters == nil {
		cfg.Counters = new(Counters)
	}
	h := new(history)
	return kit.Spec{
		Role:     role,
		New:      func() actor.Actor { return make(cfg, h) },
		Capacity: capacity,
		Run:      kit.CallerRuns(),
	}
}
