package cni

import (
	"context"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/transport/zds"
)

// settle answers a request that was carried out, or that broke the protocol.
func (c *cni) settle(ctx actor.Context, err error) {
	if err != nil {
		c.refuse(ctx, "failure to process message : "+err.Error(), func(ctx actor.Context) { c.breakOff(ctx, err) })
		return
	}
	c.greet.reset()
	c.config.Counters.Failed.Store(int64(len(c.memory.ledger.failed)))
	c.setReady(ctx, c.memory.ledger.ready())
	c.answer(ctx, "", c.read)
}

func (c *cni) refuse(ctx actor.Context, failure string, then func(actor.Context)) {
	c.config.Counters.Refused.Add(1)
	c.answer(ctx, failure, then)
}

// answer answers the last request and goes on with then.
func (c *cni) answer(ctx actor.Context, failure string, then func(actor.Context)) {
	agent := c.agent
	if agent == nil {
		return
	}
	c.begin(ctx, func(_ context.Context, s *step) any {
		return &answered{step: s, err: agent.Answer(failure), then: then}
	})
}

func (c *cni) answered(ctx actor.Context, m *answered) {
	if !c.take(m.step) {
		return
	}
	if m.err != nil {
		c.manager().Warn("failed to answer the Istio CNI node agent").Err(m.err).Send()
		c.reconnect(ctx)
		return
	}
	m.then(ctx)
}

// breakOff ends the process: the agent sent what can't be meant.
func (c *cni) breakOff(ctx actor.Context, err error) {
	c.broken = true
	c.hangUp(ctx)
	c.manager().Error("WorkloadProxyManager run error").Err(err).Send()
	c.config.Broken(fmt.Errorf("the Istio CNI node agent broke the protocol: %w", err))
}

// reconnect ends the connection and dials anew. Pods are served on.
func (c *cni) reconnect(ctx actor.Context) {
	c.hangUp(ctx)
	c.connect(ctx)
}

func (c *cni) hangUp(ctx actor.Context) {
	c.setReady(ctx, false)
	c.letAgentGo()
}

// letAgentGo ends the connection, and what came by it.
func (c *cni) letAgentGo() {
	c.step = nil // what it brings comes too late
	if c.agent != nil {
		_ = c.agent.Close()
		c.agent = nil
	}
	if c.queued != nil {
		zds.Discard(c.queued)
		c.queued = nil
	}
}
