package matrix

import (
	"github.com/troupe-mesh/troupe/actors/dns"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/dnswire"
)

// dnsRows are those who answer a pod's DNS questions. They serve datagrams, which the network of the bubbles does not have.
func dnsRows() []Row {
	const test = "actors/dns.TestBroken"
	all := func(says string) cells { return everywhere(test, says) }
	const (
		once = "one question is answered SERVFAIL or not at all, and rightly when it is asked again; no answer is wrong"
		away = "questions for others' names are answered SERVFAIL within their deadline, and rightly when they are asked again; the mesh's are answered on"
	)
	asked := all(once)
	asked[Duplicate] = elsewhere("actors/dns.TestAQuestionThatComesTwiceIsAnsweredOnce", "it is answered once, and the second is counted")
	return []Row{
		{
			Role: dns.Role, Node: Client, Over: Over[messages.ResolveName](),
			Cells: all("the name of one SOCKS5 connection is not found within its deadline; datagrams are answered on"),
		},
		{Role: dns.RoleResolver, Node: Client, Over: Over[dnswire.Asked](), Cells: asked},
		{Role: dns.RoleResolver, Node: Client, Over: Over[messages.LocalWorkloadFound](), Cells: all(once)},
		{Role: dns.RoleResolver, Node: Client, Over: Over[messages.HostFound](), Cells: all(once)},
		{
			Role: dns.RoleResolver, Node: Client, Over: Over[messages.HostsChanged](),
			Cells: everywhere("actors/dns.TestBrokenNews", "a name that is asked for again and again is answered as it was, for a second at most"),
		},
		{Role: dns.RoleResolver, Node: Client, Over: named("forwarded"), Cells: all(once)},
		{Role: dns.RoleForwarder, Node: Client, Over: named("forward"), Cells: all(away)},
		{Role: dns.RoleForwarder, Node: Client, Over: named("landed"), Cells: all(away)},
	}
}
