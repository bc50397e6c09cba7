package matrix

import (
	"time"

	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/pool"
	"github.com/troupe-mesh/troupe/messages"
)

// flowRows are the actors of one connection.
func flowRows() []Row {
	done := func(m Message) Message { return Saying[messages.StageDone](m, flow.RoleTunnel) }
	return []Row{
		{
			Role: flow.RoleTunnel, Node: Client,
			Over: Saying[messages.AcquireTunnel](Over[messages.StageDone](), pool.RolePool),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonInternal, Mesh)),
				CrashLoop: sees(failed(messages.ReasonInternal, Mesh, PlainOut, SOCKS, Denied, NextMesh)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(45*time.Second, messages.ReasonStoreTimeout, Mesh)),
			},
		},
		{
			Role: flow.RoleTunnel, Node: Server, Deadline: tunnelDeadline,
			Over: Saying[messages.UnregisterConnection](Over[messages.Established](), pod.RoleConnections),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonRelayFailed, Mesh)),
				CrashLoop: sees(failed(messages.ReasonInternal, PlainIn), failed(messages.ReasonRelayFailed, Mesh, SOCKS, NextMesh)),
				Drop:      sees(failedAfter(45*time.Second, messages.ReasonRelayFailed, Mesh)),
				Delay:     sees(failedAfter(45*time.Second, messages.ReasonRelayFailed, Mesh)),
				Duplicate: quiet,
				LoseReply: quiet,
			},
		},
		{
			Role: flow.RoleAccept, Node: Client,
			Over: done(Over[messages.LocalWorkloadFound]()),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonInternal, Mesh)),
				CrashLoop: sees(failed(messages.ReasonInternal, Mesh, PlainOut, SOCKS, Denied, NextMesh)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
			},
		},
		{
			Role: flow.RoleAccept, Node: Server,
			Over: done(Over[messages.LocalWorkloadFound]()),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonPeerRefused, Mesh)),
				CrashLoop: sees(failed(messages.ReasonInternal, PlainIn, DeniedPlain), failed(messages.ReasonPeerRefused, Mesh, SOCKS, Denied, NextMesh)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
			},
		},
		{
			Role: flow.RoleClassify, Node: Client,
			Over: done(Over[messages.UpstreamFound]()),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonInternal, Mesh)),
				CrashLoop: sees(failed(messages.ReasonInternal, Mesh, PlainOut, SOCKS, Denied, NextMesh)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
			},
		},
		{
			Role: flow.RoleClassify, Node: Server,
			Over: done(Over[messages.InboundFound]()),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonPeerRefused, Mesh)),
				CrashLoop: sees(failed(messages.ReasonInternal, PlainIn, DeniedPlain), failed(messages.ReasonPeerRefused, Mesh, SOCKS, Denied, NextMesh)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
			},
		},
		{
			Role: flow.RoleAuthorize, Node: Client,
			Over: done(Over[messages.CertificateFetched]()),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonInternal, Mesh)),
				CrashLoop: sees(failed(messages.ReasonInternal, Mesh, SOCKS, Denied, NextMesh)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
			},
		},
		{
			Role: flow.RoleAuthorize, Node: Server,
			Over: done(Over[messages.PoliciesFound]()),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonPeerRefused, Mesh)),
				CrashLoop: sees(failed(messages.ReasonInternal, PlainIn, DeniedPlain), failed(messages.ReasonPeerRefused, Mesh, SOCKS, Denied, NextMesh)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
			},
		},
	}
}
