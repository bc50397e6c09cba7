package trace

import (
	"testing"
	"testing/synctest"

	"github.com/troupe-mesh/troupe/messages"
)

// When the worker can't keep up, whole connections are cut, never a part that others name as their parent.
func TestACutSetUpLeavesNoOrphans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t, nodeOptions{ratio: 1, telemetry: Options{Queue: 3}})
		gate := make(chan struct{})
		n.worker.submit(func() { <-gate })
		synctest.Wait()
		type open struct {
			r *messages.Record
			s *Series
		}
		var all []open
		for range 5 {
			r, s, _ := establish(n)
			all = append(all, open{r, s})
		}
		close(gate)
		synctest.Wait()
		for _, o := range all {
			n.Closed(o.r, o.s, nil)
			synctest.Wait()
		}
		spans := n.exported(t)
		if len(spans) != 6 || n.metrics.jobsCut.Value() != 2 {
			t.Errorf("%d spans and %d cut, want 3 connections and 2", len(spans), n.metrics.jobsCut.Value())
		}
		checkSpans(t, spans)
	})
}
