package oracle

import (
	"slices"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func TestWhatComesAgainComesLast(t *testing.T) {
	set := func(uids ...string) *messages.UpdateWorkloads {
		u := &messages.UpdateWorkloads{}
		for _, uid := range uids {
			u.Set = append(u.Set, messages.WorkloadUpdate{Workload: &messages.Workload{UID: uid}})
		}
		return u
	}
	again := set("b")
	again.Remove = []string{"b", "c"}
	reset := set("d", "a")
	reset.Reset = true
	w := &World{}
	for i, step := range []struct {
		update *messages.UpdateWorkloads
		want   string
	}{{set("a", "b", "c"), "abc"}, {set("a"), "bca"}, {again, "ab"}, {reset, "da"}} {
		w.UpdateWorkloads(step.update)
		var uids []string
		for _, u := range w.Workloads {
			uids = append(uids, u.Workload.UID)
		}
		if !slices.Equal(uids, strings.Split(step.want, "")) {
			t.Errorf("step %d: %v, want %s", i, uids, step.want)
		}
	}
}
