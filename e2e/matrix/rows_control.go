package matrix

import (
	"time"

	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/actors/node"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// underPlane has the broken node hear of its mesh by a stream of the control plane's.
func underPlane(s *Scene, o *bubble.Options) {
	s.plane = s.World.Plane()
	o.Plane = s.plane
}

// doomByPlane is doom by way of the control plane, which pushes the policy.
func doomByPlane(s *Scene) {
	s.t.Helper()
	s.open(Doomed)
	s.plane.Push(bubble.Mesh{Policies: []*messages.Authorization{doomer()}})
	s.World.Pass(15 * time.Second)
}

// elseForgotten has the certificate of somebody who has gone be forgotten.
func elseForgotten(s *Scene) {
	s.Broken().System.Send(s.Broken().Stores().Certificates, &messages.ForgetCertificate{Identity: bubble.Identity("gone")})
}

// controlRows are what the control plane sets going.
func controlRows() []Row {
	return []Row{
		{
			Role: discovery.RoleDiscovery, Node: Server, Before: underPlane, When: doomByPlane, Occasion: "when the control plane pushes a policy",
			Over: Saying[messages.UpdatePolicies](Over[messages.Applied](), state.RolePolicies),
			Cells: cells{
				PanicOnce: sees(ends(messages.ReasonPolicyChanged, Doomed)),
				CrashLoop: sees(ends(messages.ReasonPolicyChanged, Doomed)),
				Drop:      sees(ends(messages.ReasonPolicyChanged, Doomed)),
				Delay:     sees(ends(messages.ReasonPolicyChanged, Doomed)),
				Duplicate: sees(ends(messages.ReasonPolicyChanged, Doomed)),
				LoseReply: sees(ends(messages.ReasonPolicyChanged, Doomed)),
			},
		},
		{
			Role: state.RolePolicies, Node: Server, Before: underPlane, When: doomByPlane, Occasion: "when the control plane pushes a policy",
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
			Role: discovery.RoleDiscovery, Node: Client, AtStart: true, Before: underPlane, Occasion: "at its start under a control plane",
			Over: Saying[messages.StateDelivered](Over[messages.Applied](), node.RoleNode),
			Cells: cells{
				PanicOnce: quiet,
				CrashLoop: sees(late(28*time.Second, Mesh, PlainOut, SOCKS, NextMesh), failedAfter(28*time.Second, messages.ReasonPolicyDenied, Denied), unready(0)),
				Drop:      sees(late(100*time.Millisecond, Mesh, PlainOut, SOCKS)),
				Delay:     sees(late(100*time.Millisecond, Mesh, PlainOut, SOCKS)),
				Duplicate: quiet,
				LoseReply: sees(late(1*time.Second, Mesh, PlainOut, SOCKS), late(900*time.Millisecond, NextMesh), failedAfter(900*time.Millisecond, messages.ReasonPolicyDenied, Denied), unready(0)),
			},
		},
		{
			Role: identity.RoleCertificates, Node: Client, When: elseForgotten, Occasion: "when another identity has gone",
			Over: Saying[messages.CertificateFetched](Over[messages.ForgetCertificate](), flow.RoleAuthorize),
			Cells: cells{
				PanicOnce: quiet,
				CrashLoop: sees(late(28*time.Second, SOCKS), failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh, Denied, NextMesh)),
				Drop:      quiet,
				Delay:     quiet,
				Duplicate: quiet,
				LoseReply: sees(failedAfter(20*time.Second, messages.ReasonStoreTimeout, Mesh)),
			},
		},
	}
}
