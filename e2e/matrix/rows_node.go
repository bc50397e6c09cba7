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
	fault.On[messages.StateDelivered](o.Faults.(*fault.Faults), node.RoleNode).Delay(time.Second)
}

func stateComes(s *Scene) { s.World.Pass(2 * time.Second) }

// nodeRows are the root and what feeds it.
func nodeRows() []Row {
	return []Row{
		{
			Role: node.RoleNode, Node: Client, AtStart: true, Before: stateComesLater, When: stateComes,
			Over: Saying[messages.StartAccepting](Over[messages.StateDelivered](), pod.RolePod),
			Cells: cells{
				PanicOnce: quiet,
				CrashLoop: sees(late(30*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(30*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
				Drop:      sees(unready(0), hang(Mesh, PlainOut, SOCKS, Denied, NextMesh), heals(Never)),
				Delay:     sees(late(23*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(23*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
				Duplicate: quiet,
				LoseReply: sees(hang(Mesh, PlainOut, SOCKS, Denied, NextMesh), heals(Never)),
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
				LoseReply: sees(unready(0), hang(Mesh, PlainOut, SOCKS, Denied, NextMesh), heals(Never)),
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
