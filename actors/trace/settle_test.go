package trace

import (
	"context"
	"testing"
)

func TestSettleWaitsForTheSpansToBeMade(t *testing.T) {
	n := newNode(t, nodeOptions{name: "a", ratio: 1})
	r := outboundRecord()
	n.Start(r)
	n.EarlyDenied(r)
	if err := n.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := len(n.spans.take()); got == 0 {
		t.Error("no span is there")
	}
}

func TestSettleEndsWithItsContext(t *testing.T) {
	n := newNode(t, nodeOptions{name: "a", ratio: 1})
	block, blocked := make(chan struct{}), make(chan struct{})
	n.worker.submit(func() {
		close(blocked)
		<-block
	})
	<-blocked
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Settle(ctx); err == nil {
		t.Error("it did not wait")
	}
	close(block)
	off := newNode(t, nodeOptions{off: true})
	if err := off.Settle(ctx); err != nil {
		t.Errorf("without tracing there is nothing to wait for: %v", err)
	}
}
