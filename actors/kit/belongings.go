package kit

import "context"

// belongings are what an actor has begun and what ends with it.
type belongings struct {
	asked  uint64 // the last question's id
	asks   *Asks
	timers []*Timer
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
	if b.cancel != nil {
		b.cancel()
		b.work, b.cancel = nil, nil
	}
}
