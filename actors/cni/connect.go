package cni

import (
	"context"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// connect dials the agent.
func (c *cni) connect(ctx actor.Context) {
	if !c.memory.opened || c.memory.draining || c.broken || c.agent != nil || c.step != nil {
		return
	}
	dial := c.config.Dial
	c.begin(ctx, func(life context.Context, s *step) any {
		bound, cancel := context.WithTimeout(life, longestDial)
		defer cancel()
		agent, err := dial(bound)
		if err != nil {
			return &dialled{step: s, err: err}
		}
		return &dialled{step: s, agent: agent}
	})
}

// begin starts the connection's next step.
func (c *cni) begin(ctx actor.Context, do func(context.Context, *step) any) {
	s, agent := &step{}, c.agent
	c.step = s
	kit.Go(ctx, func(life context.Context) any {
		defer s.over.Store(true)
		if agent != nil { // closing it is what ends reading and writing when the actor ends
			defer context.AfterFunc(life, func() { _ = agent.Close() })()
		}
		return do(life, s)
	})
}

// take reports whether a step is the one that is waited for.
func (c *cni) take(s *step) bool {
	if c.step != s || c.memory.draining || !s.claim.Take() {
		return false
	}
	c.step = nil
	return true
}

// watch finds out whether the connection waits for something that got lost.
func (c *cni) watch(ctx actor.Context) {
	switch s := c.step; {
	case s != nil && s.over.Load() && s.late:
		c.manager().Warn("a step of the connection to the Istio CNI node agent got lost, connecting again").Send()
		c.reconnect(ctx)
	case s != nil:
		s.late = s.over.Load()
	case c.agent == nil && (c.redialAt.IsZero() || time.Since(c.redialAt) > tellEvery):
		c.connect(ctx)
	}
}

func (c *cni) redialAfter(ctx actor.Context, wait time.Duration) {
	c.redialAt = time.Now().Add(wait)
	kit.After(ctx, wait, &redial{})
}

func (c *cni) dialled(ctx actor.Context, m *dialled) {
	if !c.take(m.step) {
		m.Undeliver()
		return
	}
	if m.err != nil {
		wait := c.dial.next()
		c.manager().Warn(fmt.Sprintf(
			"failed to connect to the Istio CNI node agent over %q, is the node agent healthy? details: %v. retrying in %s",
			c.config.At, m.err, wait)).Send()
		c.redialAfter(ctx, wait)
		return
	}
	c.dial.reset()
	c.agent = m.agent
	c.config.Counters.Connections.Add(1)
	c.memory.ledger.connected()
	agent := c.agent
	c.begin(ctx, func(_ context.Context, s *step) any { return &greeted{step: s, err: agent.Hello()} })
}

func (c *cni) greeted(ctx actor.Context, m *greeted) {
	if !c.take(m.step) {
		return
	}
	if m.err != nil {
		c.hangUp(ctx)
		wait := jittered(c.greet.next(), announceJitter, c.config.Chance())
		c.manager().Error(fmt.Sprintf("node agent announcement failed (%v), retrying in %s", m.err, wait)).Send()
		c.redialAfter(ctx, wait)
		return
	}
	c.manager().Info("connected to the Istio CNI node agent").Str(messages.FieldAddress, c.config.At).Send()
	c.read(ctx)
}

func (c *cni) read(ctx actor.Context) {
	agent := c.agent
	if agent == nil {
		return
	}
	c.begin(ctx, func(_ context.Context, s *step) any {
		request, err := agent.Read()
		return &received{step: s, request: request, err: err}
	})
}
