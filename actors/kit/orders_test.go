package kit

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

// ordering is an actor that orders target to do something when it is sent a duration, the time between two tries.
type ordering struct {
	orders Orders
	target *actor.PID
	heard  *diary
}

func (o *ordering) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case time.Duration:
		o.orders.Give(ctx, o.target, m, func(q messages.Question) any { return &messages.StartAccepting{Question: q} })
	case *messages.AcceptingStarted:
		o.heard.add(fmt.Sprintf("answer %d: %v, %d open", m.ID, o.orders.Done(m), o.orders.Open()))
	case *TooLate:
		if !o.orders.Repeat(ctx, m) {
			o.heard.add("too late")
		}
	case string:
		o.orders.Forget()
	}
}

// obeying obeys every order that it is let: it writes them down and answers, or does not, or panics.
type obeying struct {
	heard *diary
	does  func(n int) string
	n     int
}

func (o *obeying) Receive(ctx actor.Context) {
	m, ok := ctx.Message().(*messages.StartAccepting)
	if !ok {
		return
	}
	o.n++
	o.heard.add(fmt.Sprintf("order %d", m.ID))
	switch o.does(o.n) {
	case "answer":
		ctx.Respond(&messages.AcceptingStarted{Answer: SystemOf(ctx).Answer(&m.Question, 0)})
	case "answer the first":
		ctx.Respond(&messages.AcceptingStarted{Answer: messages.Answer{ID: 1}})
	case "panic":
		panic(errors.New("on purpose"))
	}
}

func TestOrderIsRepeatedUntilItIsAnswered(t *testing.T) {
	for name, test := range map[string]struct {
		does  []string
		after time.Duration
		heard []string
	}{
		"at once":              {[]string{"answer"}, 0, []string{"order 1", "answer 1: true, 0 open"}},
		"the second time":      {[]string{"", "answer"}, time.Second, []string{"order 1", "order 2", "answer 2: true, 0 open"}},
		"late":                 {[]string{"", "answer the first"}, time.Second, []string{"order 1", "order 2", "answer 1: true, 0 open"}},
		"to what is forgotten": {[]string{"", "", "", "", "answer the first", "answer"}, 5 * time.Second, []string{"order 1", "order 2", "order 3", "order 4", "order 5", "answer 1: false, 1 open", "order 6", "answer 6: true, 0 open"}},
		"after a crash":        {[]string{"panic", "answer"}, orderPause + time.Millisecond, []string{"order 1", "order 3", "answer 3: true, 0 open"}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
				heard, n := new(diary), 0
				does := func(int) string {
					n++
					return append(test.does, "answer")[min(n-1, len(test.does))]
				}
				target := spawnRoot(t, s, Spec{Role: "target", New: func() actor.Actor { return &obeying{heard: heard, does: does} }}, "target")
				o := &ordering{target: target, heard: heard}
				s.Send(spawnRoot(t, s, Spec{New: func() actor.Actor { return o }}, "orderer"), time.Second)
				pass(test.after)
				expect(t, heard, test.heard...)
				pass(time.Minute)
				expect(t, heard, test.heard...)
			})
		})
	}
}

// Orders to nobody rest between two tries, and end when they are forgotten.
func TestOrdersToNobody(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		o := &ordering{target: actor.NewPID(s.Actors().Address(), "nobody"), heard: new(diary)}
		orderer := spawnRoot(t, s, Spec{New: func() actor.Actor { return o }}, "orderer")
		s.Send(orderer, time.Second)
		pass(10 * time.Second)
		synctest.Wait()
		if tries := o.orders.asks.cell.belongings.asked; tries < 100 || tries > 250 {
			t.Errorf("%d tries and rests in 10 s", tries)
		}
		s.Send(orderer, "forget")
		synctest.Wait()
		if o.orders.Open() != 0 || o.orders.asks.Open() != 0 {
			t.Errorf("%d orders, %d questions are open", o.orders.Open(), o.orders.asks.Open())
		}
	})
}
