package kit

import (
	"strconv"

	"github.com/asynkron/protoactor-go/actor"
)

// Spawn spawns a child of ctx's actor under the name prefix/<number>, where numbers go from 1 and are not used again.
func Spawn(ctx actor.Context, props *actor.Props, prefix string) *actor.PID {
	var buf [64]byte
	pid, err := ctx.SpawnNamed(props, string(cellOf(ctx).childName(buf[:0], prefix)))
	if err != nil {
		panic(err) // another chose a name of this form for itself
	}
	return pid
}

// SpawnBrief is Spawn for a child that lives for a moment while its parent may live for long. The library's list of
// children stays with a parent for ever once it had any, and is as big as a small actor; a brief child is not entered
// there. It is supervised as others are, its parent hears Terminated, and the kit stops it when its parent ends or
// restarts, without waiting for its end.
func SpawnBrief(ctx actor.Context, spec Spec, prefix string) *actor.PID {
	parent := cellOf(ctx)
	var buf [128]byte
	name := append(append(buf[:0], ctx.Self().Id...), '/')
	c := parent.sys.newCell(&spec)
	c.brief = true
	c.configure()
	pid, err := actor.DefaultSpawner(ctx.ActorSystem(), string(parent.childName(name, prefix)), &c.props, ctx)
	if err != nil {
		panic(err) // another chose a name of this form for itself
	}
	b := parent.belong()
	b.brief = append(b.brief, pid)
	return pid
}

// childName appends prefix/<number> to name.
func (c *cell) childName(name []byte, prefix string) []byte {
	c.spawned++
	return strconv.AppendUint(append(append(name, prefix...), '/'), uint64(c.spawned), 10)
}

// SpawnNamed spawns a child of ctx's actor under a name of its own. It returns [actor.ErrNameExists] when ctx's actor
// has a child of that name; nothing was made or started then.
func SpawnNamed(ctx actor.Context, props *actor.Props, name string) (*actor.PID, error) {
	return ctx.SpawnNamed(props, name)
}
