package kit

import (
	"context"
	"slices"

	"github.com/asynkron/protoactor-go/actor"
)

// belongings are what an actor has begun and what ends with it.
type belongings struct {
	asked  uint64 // the last question's id
	asks   *Asks
	timers []*Timer
	brief  []*actor.PID // the children of SpawnBrief that have not ended
	work   context.Context
	cancel context.CancelFunc
}

func (c *cell) belong() *belongings {
	if c.belongings == nil {
		c.belongings = new(belongings)
	}
	return c.belongings
}

func (b *belongings) settle() {
	for a := b.asks; a != nil; a = a.next {
		a.settle()
	}
}

// release ends what this incarnation of the actor has begun.
func (c *cell) release() {
	b := c.belongings
	if b == nil {
		return
	}
	for a := b.asks; a != nil; a = a.next {
		a.drop()
	}
	b.asks = nil
	for _, t := range b.timers {
		t.cancel()
	}
	b.timers = nil
	for _, child := range b.brief {
		c.sys.Stop(child)
	}
	b.brief = nil
	if b.cancel != nil {
		b.cancel()
		b.work, b.cancel = nil, nil
	}
}

// ended forgets a brief child that has ended.
func (b *belongings) ended(child *actor.PID) {
	if b == nil {
		return
	}
	b.brief = slices.DeleteFunc(b.brief, func(p *actor.PID) bool { return p.Equal(child) })
	if len(b.brief) == 0 {
		b.brief = nil
	}
}
