package kit

import (
	"fmt"
	"testing"

	"github.com/asynkron/protoactor-go/actor"
)

func TestRolesAreBounded(t *testing.T) {
	s := NewSystem(Config{})
	for i := range maxRoles + 50 {
		s.Props(Spec{Role: fmt.Sprint("role ", i), Capacity: 1, New: actorOf(func(actor.Context) {})})
	}
	if n := len(s.Stats().Roles); n != maxRoles+1 {
		t.Errorf("%d roles", n)
	}
	if a, b := s.roles.get("role 300"), s.roles.get(overflowRole); a != b {
		t.Error("a role beyond the bound is not the common one")
	}
}
