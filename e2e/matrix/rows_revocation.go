package matrix

import (
	"time"

	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// rereadDeadline is when a tunnel that a list names has been cut.
const rereadDeadline = 5 * time.Second

// underLists has the broken node heed revocation lists, of which there are none yet.
func underLists(s *Scene, o *bubble.Options) {
	s.lists = s.World.Lists()
	o.Lists = s.lists
}

// revoke has a list name a peer's certificate, and gives the node the time in which the peer's tunnel should end. The
// client's own certificate is another.
func revoke(s *Scene) {
	s.t.Helper()
	s.peer = s.World.MustTunnel(s.nodes[Client].Host, bubble.Identity("client"), s.nodes[Server])
	conn, answer := s.peer.Connect("10.0.0.2:8080")
	if conn == nil {
		s.t.Fatalf("%s: status %d", Revoked, answer.Status)
	}
	c := &call{name: Revoked, conn: conn.Conn, from: s.peer.Addr()}
	s.calls = append(s.calls, c)
	s.stay(c)
	if err := c.echo(s); err != nil {
		s.t.Fatalf("%s: %v", Revoked, err)
	}
	c.Answered = true
	s.lists.Revoke(s.peer.Certificate)
	s.World.Pass(15 * time.Second)
}

// revokedLives reports whether a connection of a revoked peer lives.
func (s *Scene) revokedLives() bool {
	s.echoLasting()
	for _, c := range s.lasting {
		if c.name == Revoked && !c.over {
			return true
		}
	}
	return false
}

// revocationRows are what a revocation list sets going that comes.
func revocationRows() []Row {
	const occasion = "when a revocation list names a peer"
	return []Row{
		{
			Role: identity.RoleRevocations, Node: Server, Before: underLists, When: revoke, Occasion: occasion, Deadline: rereadDeadline,
			Over: Saying[messages.RevocationsChanged](OverOwn("identity.looked"), pod.RoleSession),
			Cells: cells{
				PanicOnce: sees(ends(messages.ReasonCertificateRevoked, Revoked)),
				CrashLoop: sees(ends(messages.ReasonCertificateRevoked, Revoked), heals(1*time.Second)),
				Drop: elsewhere("actors/kit.TestFullMailboxAdmitsWhatTheActorHasBegunItself",
					"does not happen: what an actor has begun itself comes back to it, however full its mailbox is"),
				Delay:     sees(ends(messages.ReasonCertificateRevoked, Revoked)),
				Duplicate: sees(ends(messages.ReasonCertificateRevoked, Revoked)),
				LoseReply: sees(ends(messages.ReasonCertificateRevoked, Revoked)),
			},
		},
		{
			Role: pod.RoleSession, Node: Server, Before: underLists, When: revoke, Occasion: occasion, Deadline: rereadDeadline,
			Over: Saying[messages.UnwatchRevocations](Over[messages.RevocationsChanged](), identity.RoleRevocations),
			Cells: cells{
				PanicOnce: sees(ends(messages.ReasonRelayFailed, Revoked)),
				CrashLoop: sees(ends(messages.ReasonRelayFailed, LastingMesh, Revoked)),
				Drop:      sees(ends(messages.ReasonCertificateRevoked, Revoked)),
				Delay:     sees(ends(messages.ReasonCertificateRevoked, Revoked)),
				Duplicate: sees(ends(messages.ReasonCertificateRevoked, Revoked)),
				LoseReply: sees(ends(messages.ReasonCertificateRevoked, Revoked)),
			},
		},
	}
}
