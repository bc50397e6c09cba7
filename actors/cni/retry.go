package cni

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// scheduleRetry has those that could not be served tried again.
func (c *cni) scheduleRetry(ctx actor.Context) {
	due := c.memory.ledger.due()
	if c.round != nil || c.retry != nil || len(due) == 0 {
		return
	}
	c.manager().Info("scheduling retry").Str(messages.FieldUIDs, fmt.Sprint(due)).Send()
	c.round = kit.After(ctx, retryEvery, &retryTime{})
}

func (c *cni) retryTime(ctx actor.Context) {
	c.round = nil
	c.due = c.memory.ledger.due()
	if len(c.due) > 0 {
		c.pods().Info("retrying workload").Str(messages.FieldUIDs, fmt.Sprint(c.due)).Send()
	}
	if c.request != nil { // its turn comes when that is over
		c.due = nil
		c.round = kit.After(ctx, retryEvery, &retryTime{})
		return
	}
	c.nextRetry(ctx)
}

// nextRetry tries the next pod of a round again. A request goes first; the round goes on later then.
func (c *cni) nextRetry(ctx actor.Context) {
	if c.queued != nil {
		request := c.queued
		c.queued, c.due = nil, nil
		c.scheduleRetry(ctx)
		c.handle(ctx, request)
		return
	}
	for len(c.due) > 0 {
		uid := c.due[0]
		c.due = c.due[1:]
		if one, ok := c.memory.ledger.again(uid); ok {
			c.retry = &one
			c.serve(ctx, one)
			return
		}
	}
	if len(c.memory.ledger.failed) > 0 {
		c.scheduleRetry(ctx)
		return
	}
	if c.agent != nil {
		c.setReady(ctx, c.memory.ledger.ready())
	}
}
