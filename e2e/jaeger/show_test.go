package jaeger

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

// texts must stand in what Show prints of a failure.
var texts = map[string][]string{
	Denied.Name: {
		"Tags error.type=policy_denied", "got no connection: connection not allowed by ruleset", "security_rule.name=shop/no-admin",
		"rule.index=0", "rule.field=destination_ports", "http.response.status_code=401",
	},
	Dead.Name: {
		"Tags error.type=connection_refused", "got no connection: general SOCKS server failure", "✗ connection_refused: connection failed",
		"✗ peer_refused: http status: 503 Service Unavailable",
	},
	Slow.Name: {
		"Operation classify · Min Duration 100ms", "was answered: " + answer, "fault=slow question=messages.FindUpstream", "actor.mailbox_wait_us=",
	},
}

func TestShowPrintsWhatGoesWrong(t *testing.T) {
	parts := show(t, nil)
	if len(parts) != len(Failures()) {
		t.Fatalf("%d failures are shown, want %d", len(parts), len(Failures()))
	}
	for i, f := range Failures() {
		for _, want := range slices.Concat([]string{f.Title, NodeA, NodeB}, texts[f.Name]) {
			if !strings.Contains(parts[i], want) {
				t.Errorf("%q is missing in\n%s", want, parts[i])
			}
		}
		if n := strings.Count(parts[i], "\ntrace "); n != f.Traces {
			t.Errorf("%s: %d traces are shown, want %d", f.Name, n, f.Traces)
		}
	}
}

// What the guide says to search for finds exactly what was shown.
func TestSearchesFindWhatIsShown(t *testing.T) {
	b := backendFor(t)
	service := b.service("failures")
	parts := show(t, b.environ(service, "parentbased_always_on"))
	for i, f := range Failures() {
		found := b.await(t, service, f.Search, f.Traces, func(c *connectionTrace) bool {
			return c.count(NodeA, "outbound") == 1 && c.count(NodeB, "CONNECT") == 1 && len(c.orphans()) == 0
		})
		for _, one := range found {
			if !strings.Contains(parts[i], "\ntrace "+one.id) {
				t.Errorf("%s finds trace %s, which is not shown:\n%s", f.Search, one.id, one.outline())
			}
		}
	}
	b.wantWhole(t, service)
	// By what else the guide says one may know: the client's address and port, the service, the pod.
	connection := b.await(t, service, Denied.Search, 1, func(*connectionTrace) bool { return true })[0]
	end := connection.span(t, NodeA, "outbound").attributes
	address := messages.AttrSourceAddress + "=" + end[messages.AttrSourceAddress] + " " + messages.AttrSourcePort + "=" + end[messages.AttrSourcePort]
	for tags, n := range map[string]int{
		address: 1, messages.AttrDestService + "=" + serviceHost: 5, messages.AttrSourceWorkload + "=" + client: 5,
	} {
		b.await(t, service, Search{Tags: tags}, n, func(*connectionTrace) bool { return true })
	}
}

// show runs Show and returns what it printed of each failure.
func show(t *testing.T, environ []string) []string {
	t.Helper()
	var out bytes.Buffer
	if err := Show(t.Context(), &out, environ, Failures()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	_, shown, _ := strings.Cut(out.String(), "── ")
	return strings.Split(shown, "\n── ")
}
