package kit

import (
	"strconv"

	"github.com/asynkron/protoactor-go/actor"
)

// Spawn spawns a child of ctx's actor under the name prefix/<number>, where numbers go from 1 and are not used again.
func Spawn(ctx actor.Context, props *actor.Props, prefix string) *actor.PID {
	c := cellOf(ctx)
	c.spawned++
	var buf [64]byte
	name := append(append(buf[:0], prefix...), '/')
	pid, err := ctx.SpawnNamed(props, string(strconv.AppendUint(name, uint64(c.spawned), 10)))
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
