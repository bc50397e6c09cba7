package bubble_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// The fast path decides as a tunnel does: the same generated policies are put before two meshes, one with it and one
// without, and the same connections must end the same way, with the same words.
func TestLocalFastpathDecidesLikeATunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var nodes [2]*bubble.Node
		for i, settings := range []bubble.Options{{Pod: fast}, {Pod: onNode}} {
			w := bubble.New(t, oneNode())
			defer w.Close()
			nodes[i] = together(w, settings)
			for _, addr := range []string{"10.0.0.2:8080", "10.0.0.2:9090"} {
				w.Serve(w.Host("server"), addr, bubble.Echo)
			}
		}
		var known []string
		allowed, denied := 0, 0
		for seed := range 150 { // rapid.Check asks for the test's deadline, which a bubble does not have
			q := anyQuestion.Example(seed)
			update := messages.UpdatePolicies{Remove: known, Set: q.policies}
			known = nil
			for _, p := range q.policies {
				known = append(known, p.Key)
			}
			for _, n := range nodes {
				n.UpdatePolicies(update)
			}
			quick, slow := outcome(nodes[0], q.to), outcome(nodes[1], q.to)
			if quick != slow {
				t.Fatalf("seed %d: %s with %d policies: %s without a tunnel, %s with one", seed, q.to, len(q.policies), quick, slow)
			}
			if quick == "" {
				allowed++
			} else {
				denied++
			}
		}
		if allowed < 10 || denied < 10 {
			t.Errorf("%d allowed, %d denied: that shows nothing", allowed, denied)
		}
		wantMode(t, nodes[1], "local", 0)
	})
}

// outcome is why the server's side refused a connection; empty when it was allowed.
func outcome(n *bubble.Node, to string) string {
	before := len(n.Access())
	c := n.Dial(to)
	_, _ = c.Write([]byte("x"))
	got, _ := c.Read(make([]byte, 1))
	_ = c.Close()
	<-time.After(time.Second)
	synctest.Wait()
	for _, line := range n.Access()[before:] {
		if _, text, failed := strings.Cut(line, "error="); failed && strings.Contains(line, `direction="inbound"`) {
			if got != 0 {
				return "answered, but " + text
			}
			return text
		}
	}
	if got == 0 {
		return "no answer and no reason"
	}
	return ""
}

// question is a set of policies and a connection that they are asked about.
type question struct {
	policies []*messages.Authorization
	to       string
}

var anyQuestion = rapid.Custom(func(r *rapid.T) question {
	q := question{to: rapid.SampledFrom([]string{"10.0.0.2:8080", "10.0.0.2:9090", "10.9.0.2:80"}).Draw(r, "to")}
	for i := range rapid.IntRange(0, 4).Draw(r, "policies") {
		q.policies = append(q.policies, anyPolicy(r, i))
	}
	return q
})

func anyPolicy(r *rapid.T, i int) *messages.Authorization {
	p := bubble.Policy(fmt.Sprintf("p%d", i), rapid.SampledFrom([]messages.Action{messages.ActionAllow, messages.ActionDeny}).Draw(r, "action"))
	p.DryRun = rapid.IntRange(0, 4).Draw(r, "dry run") == 0
	p.Scope = rapid.SampledFrom([]messages.PolicyScope{messages.ScopeGlobal, messages.ScopeNamespace}).Draw(r, "scope")
	for range rapid.IntRange(0, 2).Draw(r, "rules") {
		var rule messages.Rule
		for range rapid.IntRange(0, 2).Draw(r, "clauses") {
			var clause messages.Clause
			for range rapid.IntRange(0, 2).Draw(r, "matches") {
				clause = append(clause, anyMatch(r))
			}
			rule = append(rule, clause)
		}
		p.Rules = append(p.Rules, rule)
	}
	return p
}

func anyMatch(r *rapid.T) (m messages.Match) {
	kind := messages.StringMatchKind(rapid.IntRange(0, 3).Draw(r, "kind"))
	principals := []messages.StringMatch{{Kind: kind, Value: rapid.SampledFrom([]string{clientPrincipal, "cluster.local/ns/", "sa/client", "x"}).Draw(r, "principal")}}
	namespaces := []messages.StringMatch{{Kind: kind, Value: rapid.SampledFrom([]string{"ns", "n", "other"}).Draw(r, "namespace")}}
	accounts := []messages.ServiceAccountMatch{{Namespace: "ns", ServiceAccount: rapid.SampledFrom([]string{"client", "server"}).Draw(r, "account")}}
	addresses := []netip.Prefix{netip.MustParsePrefix(rapid.SampledFrom([]string{"10.0.0.1/32", "10.0.0.2/32", "10.0.0.0/31", "0.0.0.0/0"}).Draw(r, "range"))}
	ports := []uint16{rapid.SampledFrom([]uint16{8080, 9090, 80}).Draw(r, "port")}
	for range rapid.IntRange(1, 2).Draw(r, "attributes") {
		switch rapid.IntRange(0, 11).Draw(r, "attribute") {
		case 0:
			m.Principals = principals
		case 1:
			m.NotPrincipals = principals
		case 2:
			m.Namespaces = namespaces
		case 3:
			m.NotNamespaces = namespaces
		case 4:
			m.ServiceAccounts = accounts
		case 5:
			m.NotServiceAccounts = accounts
		case 6:
			m.SourceIPs = addresses
		case 7:
			m.NotSourceIPs = addresses
		case 8:
			m.DestinationIPs = addresses
		case 9:
			m.NotDestinationIPs = addresses
		case 10:
			m.DestinationPorts = ports
		default:
			m.NotDestinationPorts = ports
		}
	}
	return m
}
