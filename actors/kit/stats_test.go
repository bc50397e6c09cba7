package kit

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"
)

func TestStatsAreSortedByRole(t *testing.T) {
	bubble(t, Config{}, func(t *testing.T, s *System, _ *journal) {
		for _, role := range []string{"c", "a", "b"} {
			spawnRoot(t, s, Spec{Role: role, Run: CallerRuns(), New: actorOf(func(actor.Context) {})}, role)
		}
		st := s.Stats()
		if len(st.Roles) != 3 || st.Roles[0].Role != "a" || st.Roles[2].Role != "c" || st.Roles[1].Live != 1 {
			t.Errorf("got %+v", st)
		}
		if (st.Role("none") != RoleStats{}) {
			t.Error("knows a role that is not there")
		}
	})
}
