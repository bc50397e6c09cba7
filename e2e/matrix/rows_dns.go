package matrix

import (
	"github.com/troupe-mesh/troupe/actors/dns"
	"github.com/troupe-mesh/troupe/messages"
)

// dnsRows are those who answer a pod's DNS questions. They serve datagrams, which the network of the bubbles does not have.
func dnsRows() []Row {
	const test = "actors/dns.TestBroken"
	all := func(says string) cells { return everywhere(test, says) }
	return []Row{
		{
			Role: dns.Role, Node: Client, Over: Over[messages.ResolveName](),
			Cells: all("the name of one SOCKS5 connection is not found within its deadline; datagrams are answered on"),
		},
		{
			Role: dns.RoleResolver, Node: Client, Over: Over[messages.HostFound](),
			Cells: all("one question is answered SERVFAIL or not at all, and rightly when it is asked again; no answer is wrong"),
		},
		{
			Role: dns.RoleForwarder, Node: Client, Over: named("forward"),
			Cells: all("questions for others' names are answered SERVFAIL within their deadline, and rightly when they are asked again; the mesh's are answered on"),
		},
	}
}
