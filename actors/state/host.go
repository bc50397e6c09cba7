package state

import (
	"strings"

	"github.com/troupe-mesh/troupe/messages"
)

// FindHost answers the question of that name: the first alias that an eligible service has, be it by a wildcard, wins
// (spec/control.md §6.4).
func (t *ServiceTable) FindHost(q *messages.FindHost) *messages.HostFound {
	a := &messages.HostFound{Answer: answer(&q.Question, t.version)}
	search := hostSearch{table: t, question: q, suffix: q.ServiceSuffix()}
	q.Aliases(func(alias messages.Alias) bool {
		if search.try(alias.Name); search.found == nil {
			return true
		}
		a.Alias, a.Wildcard, a.Service = alias, search.wildcard, search.found.Service
		if len(a.Service.VIPs) == 0 {
			a.Endpoints = t.endpoints(search.found)
		}
		return false
	})
	return a
}

// hostSearch is the search for one question.
type hostSearch struct {
	table    *ServiceTable
	question *messages.FindHost
	suffix   string
	found    *entry
	wildcard bool
}

func (s *hostSearch) try(name string) {
	messages.Wildcards(name, func(host []byte, wildcard bool) bool {
		var c hostChoice
		c.consider(s, s.table.byHost[string(host)])
		if len(s.table.byCanonical) > 0 {
			c.consider(s, s.table.byCanonical[string(host)])
		}
		s.found, s.wildcard = c.found, wildcard
		return s.found == nil
	})
}

// eligible reports whether DNS answers for a service: it has an address of its own, or is a headless one of the cluster.
func (s *hostSearch) eligible(e *entry) bool {
	return (len(e.VIPs) > 0 || strings.HasSuffix(e.Hostname, s.suffix)) && e.VisibleTo(s.question.Namespace)
}

// hostChoice is the choice among services of one host name: the first of the client's namespace, else the last canonical
// one, else the last of the preferred namespace, else the first (spec/control.md §3.3).
type hostChoice struct {
	found *entry
	rank  int
}

func (c *hostChoice) consider(s *hostSearch, list []*entry) {
	const first, preferred, canonical, own = 1, 2, 3, 4
	for _, e := range list {
		if !s.eligible(e) {
			continue
		}
		rank := first
		switch {
		case e.Namespace == s.question.Namespace:
			rank = own
		case e.Canonical:
			rank = canonical
		case s.question.Preferred != "" && e.Namespace == s.question.Preferred:
			rank = preferred
		}
		if rank > c.rank || rank == c.rank && (rank == canonical || rank == preferred) {
			c.found, c.rank = e, rank
		}
	}
}
