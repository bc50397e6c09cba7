package dnswire

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// maxAliases bounds the names that an answer may lead through.
const maxAliases = 16

// relevant leaves in m what answers k: the records of its name and of those that it is an alias of, and an SOA above one
// of them. A server that gives an answer of other records only has not answered.
func relevant(k Key, m *dns.Msg) error {
	given := len(m.Answer)
	m.Answer = slices.DeleteFunc(m.Answer, func(rr dns.RR) bool { // before aliases are followed: those of others lead nowhere
		return rr.Header().Class != k.Class && k.Class != dns.ClassANY
	})
	chain := aliases(k.Domain(), k.Type, m.Answer)
	m.Answer = slices.DeleteFunc(m.Answer, func(rr dns.RR) bool { return !onChain(chain, rr) })
	if given > 0 && len(m.Answer) == 0 {
		return fmt.Errorf("%w: it has %d records, none of %s", errUnreadable, given, k.Domain())
	}
	m.Ns = slices.DeleteFunc(m.Ns, func(rr dns.RR) bool {
		return !slices.ContainsFunc(chain, func(name string) bool { return dns.IsSubDomain(canonical(rr), name) })
	})
	return nil
}

func canonical(rr dns.RR) string { return strings.ToLower(rr.Header().Name) }

// aliases are the names that an answer leads through, from the question's on.
func aliases(name string, kind uint16, answer []dns.RR) []string {
	chain := []string{name}
	if kind == dns.TypeCNAME {
		return chain
	}
	for len(chain) < maxAliases {
		next := ""
		for _, rr := range answer {
			if c, ok := rr.(*dns.CNAME); ok && canonical(rr) == chain[len(chain)-1] {
				next = strings.ToLower(c.Target)
			}
		}
		if next == "" || slices.Contains(chain, next) {
			break
		}
		chain = append(chain, next)
	}
	return chain
}

func onChain(chain []string, rr dns.RR) bool {
	owner := canonical(rr)
	if rr.Header().Rrtype == dns.TypeDNAME {
		return slices.ContainsFunc(chain, func(name string) bool { return dns.IsSubDomain(owner, name) })
	}
	return slices.Contains(chain, owner)
}
