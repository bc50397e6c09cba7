package matrix

import (
	"time"

	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/messages"
)

// podRows are who serves all connections of a pod. What a pod says to a new connection is the first question of what it
// spawns for it.
func podRows() []Row {
	return []Row{
		{
			Role: pod.RolePod, Node: Client,
			Over: Saying[messages.FindLocalWorkload](Over[messages.ConnectionAccepted](), state.RoleWorkloads),
			Cells: cells{
				PanicOnce: sees(lost(Mesh), ends(messages.ReasonInternal, LastingMesh, LastingPlainOut)),
				CrashLoop: sees(late(28*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(28*time.Second, messages.ReasonPolicyDenied, Denied), ends(messages.ReasonInternal, LastingMesh, LastingPlainOut)),
				Drop:      sees(lost(Mesh)),
				Delay:     sees(late(25*time.Second, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
			},
		},
		{
			Role: pod.RolePod, Node: Server,
			Over: Saying[messages.FindLocalWorkload](Over[messages.StreamOpened](), state.RoleWorkloads),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonPeerRefused, Mesh), ends(messages.ReasonInternal, LastingPlainIn), ends(messages.ReasonRelayFailed, LastingMesh)),
				CrashLoop: sees(late(28*time.Second, PlainIn), failedAfter(15*time.Second, messages.ReasonTLSHandshake, Mesh, SOCKS, Denied, NextMesh), failedAfter(28*time.Second, messages.ReasonPolicyDenied, DeniedPlain), ends(messages.ReasonInternal, LastingPlainIn), ends(messages.ReasonRelayFailed, LastingMesh)),
				Drop:      sees(failed(messages.ReasonPeerRefused, Mesh)),
				Delay:     sees(late(25*time.Second, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
			},
		},
		{
			Role: pod.RolePod, Node: Server, AtStart: true,
			Over:   Saying[messages.StartAccepting](Over[messages.StartAccepting](), pod.RoleListener),
			Before: stateComesLater, When: stateComes,
			Cells: cells{
				PanicOnce: quiet,
				CrashLoop: sees(late(28*time.Second, PlainIn), failedAfter(15*time.Second, messages.ReasonTLSHandshake, Mesh, SOCKS, Denied, NextMesh), failedAfter(28*time.Second, messages.ReasonPolicyDenied, DeniedPlain), unready(0)),
				Drop:      sees(late(800*time.Millisecond, SOCKS, NextMesh), late(900*time.Millisecond, Mesh, PlainIn), failedAfter(800*time.Millisecond, messages.ReasonPolicyDenied, Denied, DeniedPlain), unready(0)),
				Delay:     sees(late(800*time.Millisecond, SOCKS, NextMesh), late(900*time.Millisecond, Mesh, PlainIn), failedAfter(800*time.Millisecond, messages.ReasonPolicyDenied, Denied, DeniedPlain), unready(0)),
				Duplicate: quiet,
				LoseReply: sees(late(800*time.Millisecond, SOCKS, NextMesh), late(900*time.Millisecond, Mesh), failedAfter(800*time.Millisecond, messages.ReasonPolicyDenied, Denied), unready(0)),
			},
		},
		{
			Role: pod.RoleListener, Node: Server, AtStart: true,
			Over: Saying[messages.ConnectionAccepted](Over[messages.StartAccepting](), pod.RolePod),
			Cells: cells{
				PanicOnce: quiet,
				CrashLoop: sees(late(25*time.Second, PlainIn), failedAfter(15*time.Second, messages.ReasonTLSHandshake, Mesh, SOCKS, Denied, NextMesh), failedAfter(25*time.Second, messages.ReasonPolicyDenied, DeniedPlain), unready(0)),
				Drop:      sees(late(800*time.Millisecond, SOCKS, NextMesh), late(900*time.Millisecond, Mesh), failedAfter(800*time.Millisecond, messages.ReasonPolicyDenied, Denied), unready(0)),
				Delay:     sees(late(800*time.Millisecond, SOCKS, NextMesh), late(900*time.Millisecond, Mesh), failedAfter(800*time.Millisecond, messages.ReasonPolicyDenied, Denied), unready(0)),
				Duplicate: quiet,
				LoseReply: sees(failed(messages.ReasonTLSHandshake, Mesh)),
			},
			Before: stateComesLater, When: stateComes, // the listeners have started when they are told to open
		},
		{
			Role: pod.RoleSession, Node: Server,
			Over: Saying[messages.FetchCertificate](Over[messages.LocalWorkloadFound](), identity.RoleCertificates),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonTLSHandshake, SOCKS)),
				CrashLoop: sees(failed(messages.ReasonTLSHandshake, SOCKS)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonTLSHandshake, SOCKS)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonTLSHandshake, SOCKS)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonTLSHandshake, SOCKS)),
			},
		},
		{
			Role: pod.RoleLocals, Node: Client,
			Over: Over[messages.FindLocalPod](),
			Cells: cells{
				PanicOnce: locally, CrashLoop: locally, Drop: locally, Delay: locally, Duplicate: locally, LoseReply: locally,
			},
		},
		{
			Role: pod.RoleConnections, Node: Server,
			Over: Over[messages.RegisterConnection](),
			Cells: cells{
				PanicOnce: sees(failed(messages.ReasonPeerRefused, Mesh)),
				CrashLoop: sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh, SOCKS, NextMesh), failedAfter(20*time.Second, messages.ReasonStoreTimeout, PlainIn), heals(100*time.Millisecond)),
				Drop:      sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
				Delay:     sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonPeerRefused, Mesh)),
			},
		},
		{
			Role: pod.RoleConnections, Node: Server, When: doom,
			Over: SayingFrom[messages.FindPolicies](Over[messages.PoliciesChanged](), state.RolePolicies, "*/connections/*"),
			Cells: cells{
				PanicOnce: sees(ends(messages.ReasonPolicyChanged, Doomed)),
				CrashLoop: sees(late(15*time.Second, Mesh, PlainIn, SOCKS, NextMesh), ends(messages.ReasonPolicyChanged, Doomed)),
				Drop:      sees(ends(messages.ReasonPolicyChanged, Doomed)),
				Delay:     sees(ends(messages.ReasonPolicyChanged, Doomed)),
				Duplicate: sees(ends(messages.ReasonPolicyChanged, Doomed)),
				LoseReply: sees(ends(messages.ReasonPolicyChanged, Doomed)),
			},
		},
	}
}

// locally is a cell of the directory of local pods: the nodes of the matrix serve one pod each.
var locally = elsewhere("e2e/bubble.TestLocalFastpathThroughFaults", "a connection waits for its stage's deadline at most; the next is not touched")
