package kit

import (
	"strconv"

	"github.com/asynkron/protoactor-go/actor"
)

// Spawn spawns a child of ctx's actor under the name prefix/<number>, which nobody else has.
func Spawn(ctx actor.Context, props *actor.Props, prefix string) *actor.PID {
	number := SystemOf(ctx).names.Add(1)
	var buf [64]byte
	name := append(append(buf[:0], prefix...), '/')
	pid, err := ctx.SpawnNamed(props, string(strconv.AppendUint(name, number, 10)))
	if err != nil {
		panic(err) // another chose a name of this form for itself
	}
	return pid
}

// SpawnNamed spawns a child of ctx's actor under a name of its own. It returns [actor.ErrNameExists] when ctx's actor
// has a child of that name; nothing was made or started then.
func SpawnNamed(ctx actor.Context, props *actor.Props, name string) (*actor.PID, error) {
	return ctx.SpawnNamed(props, name)
}
