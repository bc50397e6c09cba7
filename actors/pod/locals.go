package pod

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// RoleLocals is the role of the directory of local pods, and its name.
const RoleLocals = "local-pods"

// locals knows who serves which workload in this process: where the local fast path may end. It holds one name for each pod
// that is served, and forgets a pod with its actor. What it does not know goes through a tunnel.
type locals struct {
	pods map[messages.WorkloadInfo]string
}

// Locals declares the directory. There is one for each node.
func Locals() kit.Spec {
	pods := map[messages.WorkloadInfo]string{} // it outlives a crash of its actor
	return kit.Spec{
		Role: RoleLocals, Capacity: podCapacity, Run: kit.CallerRuns(), Supervision: restart,
		New: func() actor.Actor { return &locals{pods} },
	}
}

// Receive takes the directory's messages.
func (l *locals) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.PodServes:
		l.podServes(ctx, m)
	case *messages.PodLeaves:
		l.forget(ctx.Sender())
	case *actor.Terminated:
		l.forget(m.Who)
	case *messages.FindLocalPod:
		ctx.Respond(&messages.LocalPodFound{Answer: messages.Answer{ID: m.ID}, Pod: l.pods[m.Info]})
	default:
		kit.Unknown(ctx)
	}
}

func (l *locals) podServes(ctx actor.Context, m *messages.PodServes) {
	if pod := ctx.Sender(); pod != nil {
		l.pods[m.Info] = pod.Id
		ctx.Watch(pod)
	}
}

func (l *locals) forget(pod *actor.PID) {
	for info, name := range l.pods {
		if pod != nil && name == pod.Id {
			delete(l.pods, info)
		}
	}
}
