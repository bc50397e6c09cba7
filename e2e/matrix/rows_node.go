package matrix

import (
	"time"

	"github.com/troupe-mesh/troupe/actors/admin"
	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/actors/node"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// stateComesLater lets the first state arrive when the actors have long started, stateComes waits until it has.
func stateComesLater(_ *Scene, o *bubble.Options) {
	fault.On[messages.StateDelivered](o.Faults.(*fault.Faults), node.RoleNode).Delay(100 * time.Millisecond)
}

func stateComes(s *Scene) { s.World.Pass(200 * time.Millisecond) }

// nodeRows are the root and what feeds it.
func nodeRows() []Row {
	return []Row{
		{
			Role: node.RoleNode, Node: Client, AtStart: true, Before: stateComesLater,
			Over: Saying[messages.StartAccepting](Over[messages.StateDelivered](), pod.RolePod),
			Cells: cells{
				PanicOnce: sees(late(100*time.Millisecond, NextMesh), late(200*time.Millisecond, Mesh, PlainOut, SOCKS), failedAfter(100*time.Millisecond, messages.ReasonPolicyDenied, Denied), unready(0)),
				CrashLoop: sees(late(28*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(28*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
				Drop:      sees(late(1*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(1*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
				Delay:     sees(late(1*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(1*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
				Duplicate: quiet,
				LoseReply: sees(late(1*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(1*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
			},
		},
		{
			Role: discovery.RoleDiscovery, Node: Client, AtStart: true,
			Over: Saying[messages.StateDelivered](Over[messages.Applied](), node.RoleNode),
			Cells: cells{
				PanicOnce: quiet,
				CrashLoop: sees(late(28*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(28*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
				Drop:      sees(late(10*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(10*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
				Delay:     sees(late(10*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(10*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
				Duplicate: quiet,
				LoseReply: sees(late(1*time.Second, Mesh, PlainOut, SOCKS), late(900*time.Millisecond, NextMesh), failedAfter(900*time.Millisecond, messages.ReasonPolicyDenied, Denied), unready(0)),
			},
		},
		{
			Role: admin.Role, Node: Client, AtStart: true,
			Over: Over[messages.TaskCompleted](),
			Cells: cells{
				PanicOnce: quiet,
				CrashLoop: sees(late(28*time.Second, Ready)),
				Drop:      sees(unready(0), heals(1*time.Second)),
				Delay:     sees(unready(0)),
				Duplicate: quiet,
				LoseReply: quiet,
			},
		},
		{
			Role: admin.Role, Node: Client,
			Over: Over[messages.FindPendingTasks](),
			Cells: cells{
				PanicOnce: sees(unready(0)),
				CrashLoop: sees(unready(0), heals(5*time.Second)),
				Drop:      sees(unready(1 * time.Second)),
				Delay:     sees(unready(1 * time.Second)),
				Duplicate: quiet,
				LoseReply: sees(unready(1 * time.Second)),
			},
		},
	}
}
