package matrix

import (
	"time"

	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/pool"
	"github.com/troupe-mesh/troupe/messages"
)

// poolRows are the tunnels that connections share.
func poolRows() []Row {
	return []Row{
		{
			Role: pool.RolePool, Node: Client, Deadline: tunnelDeadline,
			Over: Over[messages.AcquireTunnel](),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonStoreTimeout, Mesh)),
				CrashLoop: sees(late(25*time.Second, Mesh, SOCKS, NextMesh), failedAfter(25*time.Second, messages.ReasonPolicyDenied, Denied)),
				Drop:      sees(failedAfter(45*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Delay:     sees(failedAfter(45*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(45*time.Second, messages.ReasonStoreTimeout, Mesh)),
			},
		},
		{
			Role: pool.RolePeer, Node: Client, Deadline: tunnelDeadline,
			Over: Over[messages.AcquireTunnel](),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonStoreTimeout, Mesh)),
				CrashLoop: sees(failed(messages.ReasonStoreTimeout, Mesh, SOCKS, Denied, NextMesh)),
				Drop:      sees(failedAfter(45*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Delay:     sees(failedAfter(45*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(45*time.Second, messages.ReasonStoreTimeout, Mesh)),
			},
		},
		{
			Role: pool.RolePeer, Node: Client,
			Over: Saying[messages.TunnelAcquired](Over[messages.ReleaseTunnel](), flow.RoleTunnel),
			Cells: cells{
				PanicOnce: quiet,
				CrashLoop: quiet,
				Drop:      quiet,
				Delay:     quiet,
				Duplicate: quiet,
				LoseReply: sees(failedAfter(45*time.Second, messages.ReasonStoreTimeout, Mesh)),
			},
		},
	}
}
