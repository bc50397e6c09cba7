package matrix

import (
	"time"

	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// storeRows are who answers the questions of flows.
func storeRows() []Row {
	return []Row{
		{
			Role: state.RoleWorkloads, Node: Client,
			Over: Over[messages.FindAddress](),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonStoreTimeout, Mesh)),
				CrashLoop: sees(late(28*time.Second, SOCKS), failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh, PlainOut, Denied, NextMesh)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
			},
		},
		{
			Role: state.RoleServices, Node: Client,
			Over: Over[messages.FindUpstream](),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonStoreTimeout, Mesh)),
				CrashLoop: sees(late(28*time.Second, SOCKS), failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh, PlainOut, Denied, NextMesh)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
			},
		},
		{
			Role: identity.RoleRevocations, Node: Server, AtStart: true,
			Over:   Over[messages.WatchRevocations](),
			Before: func(s *Scene, o *bubble.Options) { o.Lists = s.World.Lists() },
			Cells: cells{
				PanicOnce: quiet,
				CrashLoop: quiet,
				Drop:      quiet,
				Delay:     quiet,
				Duplicate: quiet,
				LoseReply: elsewhere("e2e/bubble.TestRevocationThroughFaults", "a tunnel to a revoked peer is cut 10 s later"),
			},
		},
		{
			Role: state.RolePolicies, Node: Server,
			Over: Over[messages.FindPolicies](),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonPeerRefused, Mesh)),
				CrashLoop: sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh, SOCKS, Denied, NextMesh), failedAfter(20*time.Second, messages.ReasonStoreTimeout, PlainIn, DeniedPlain), heals(100*time.Millisecond)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
			},
		},
		{
			Role: state.RolePolicies, Node: Server, Before: doomBefore, When: doomByDiscovery,
			Over: Over[messages.UpdatePolicies](),
			Cells: cells{
				PanicOnce: sees(ends(messages.ReasonPolicyChanged, Doomed)),
				CrashLoop: sees(late(18*time.Second, Mesh, PlainIn, SOCKS, NextMesh), failedAfter(18*time.Second, messages.ReasonPolicyDenied, Denied, DeniedPlain), ends(messages.ReasonPolicyChanged, Doomed)),
				Drop:      sees(ends(messages.ReasonPolicyChanged, Doomed)),
				Delay:     sees(ends(messages.ReasonPolicyChanged, Doomed)),
				Duplicate: sees(ends(messages.ReasonPolicyChanged, Doomed)),
				LoseReply: sees(ends(messages.ReasonPolicyChanged, Doomed)),
			},
		},
		{
			Role: state.RoleNames, Node: Client, Deadline: socksDeadline,
			Over: Over[messages.ResolveName](),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonStoreTimeout, SOCKS)),
				CrashLoop: sees(late(28*time.Second, SOCKS)),
				Drop:      sees(failedAfter(30*time.Second, messages.ReasonStoreTimeout, SOCKS)),
				Delay:     sees(failedAfter(30*time.Second, messages.ReasonStoreTimeout, SOCKS)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(30*time.Second, messages.ReasonStoreTimeout, SOCKS)),
			},
		},
		{
			Role: identity.RoleCertificates, Node: Client,
			Over: Over[messages.FetchCertificate](),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonStoreTimeout, Mesh)),
				CrashLoop: sees(late(28*time.Second, SOCKS), failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh, Denied, NextMesh)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
			},
		},
		{
			Role: state.RoleWorkloads, Node: Server, AtStart: true,
			Over: Over[messages.UpdateWorkloads](),
			Cells: cells{
				PanicOnce: sees(late(100*time.Millisecond, Mesh, PlainIn)),
				CrashLoop: sees(late(28*time.Second, PlainIn), failedAfter(15*time.Second, messages.ReasonTLSHandshake, Mesh, SOCKS, Denied, NextMesh), failedAfter(28*time.Second, messages.ReasonPolicyDenied, DeniedPlain), unready(0)),
				Drop:      sees(late(10*time.Second, Mesh, PlainIn, SOCKS, NextMesh), failedAfter(10*time.Second, messages.ReasonPolicyDenied, Denied, DeniedPlain), unready(0)),
				Delay:     sees(late(10*time.Second, Mesh, PlainIn, SOCKS, NextMesh), failedAfter(10*time.Second, messages.ReasonPolicyDenied, Denied, DeniedPlain), unready(0)),
				Duplicate: quiet,
				LoseReply: sees(late(10*time.Second, Mesh, PlainIn, SOCKS, NextMesh), failedAfter(10*time.Second, messages.ReasonPolicyDenied, Denied, DeniedPlain), unready(0)),
			},
		},
		{
			Role: state.RoleServices, Node: Client, AtStart: true,
			Over: Over[messages.UpdateServices](),
			Cells: cells{
				PanicOnce: sees(late(100*time.Millisecond, Mesh, PlainOut, SOCKS)),
				CrashLoop: sees(late(28*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(28*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
				Drop:      sees(late(10*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(10*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
				Delay:     sees(late(10*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(10*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
				Duplicate: quiet,
				LoseReply: sees(late(10*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(10*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
			},
		},
		{
			Role: state.RolePolicies, Node: Server, AtStart: true,
			Over: Over[messages.UpdatePolicies](),
			Cells: cells{
				PanicOnce: sees(late(100*time.Millisecond, Mesh, PlainIn)),
				CrashLoop: sees(late(28*time.Second, PlainIn), failedAfter(15*time.Second, messages.ReasonTLSHandshake, Mesh, SOCKS, Denied, NextMesh), failedAfter(28*time.Second, messages.ReasonPolicyDenied, DeniedPlain), unready(0)),
				Drop:      sees(late(10*time.Second, Mesh, PlainIn, SOCKS, NextMesh), failedAfter(10*time.Second, messages.ReasonPolicyDenied, Denied, DeniedPlain), unready(0)),
				Delay:     sees(late(10*time.Second, Mesh, PlainIn, SOCKS, NextMesh), failedAfter(10*time.Second, messages.ReasonPolicyDenied, Denied, DeniedPlain), unready(0)),
				Duplicate: quiet,
				LoseReply: sees(late(10*time.Second, Mesh, PlainIn, SOCKS, NextMesh), failedAfter(10*time.Second, messages.ReasonPolicyDenied, Denied, DeniedPlain), unready(0)),
			},
		},
	}
}
