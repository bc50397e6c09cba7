package flow

import (
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
)

func newPassage(t *testing.T, change func(w *messages.Workload, s *messages.Service)) *passage {
	t.Helper()
	telemetry, err := trace.New(trace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &messages.Workload{Name: "client", Namespace: "ns", ClusterID: "Kubernetes", WorkloadName: "client"}
	s := &messages.Service{Hostname: "server.ns"}
	change(w, s)
	return &passage{
		Deps: &Deps{Telemetry: telemetry, Settings: DefaultSettings()},
		setup: &setup{
			local: w, request: &messages.Request{Service: s}, entry: Entry{Peer: netip.MustParseAddrPort("10.0.0.1:1234")},
		},
	}
}

// What can't stand in a header fails the flow; the reference panics over it (spec/dataplane.md §15.18).
func TestIllegalMetadataFailsTheFlow(t *testing.T) {
	for name, change := range map[string]func(*messages.Workload, *messages.Service){
		"newline in the workload's name": func(w *messages.Workload, _ *messages.Service) { w.WorkloadName = "a\r\nx: y" },
		"newline in the host name":       func(_ *messages.Workload, s *messages.Service) { s.Hostname = "a\nb" },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPassage(t, change)
			headers, f := p.connectHeaders()
			if f == nil || f.Reason != messages.ReasonInvalidRequest || f.Text == "" {
				t.Errorf("headers %v, failure %v; want an invalid request", headers, f)
			}
		})
	}
	if _, f := newPassage(t, func(*messages.Workload, *messages.Service) {}).connectHeaders(); f != nil {
		t.Errorf("ordinary metadata: %v", f)
	}
}

func TestReadForwarding(t *testing.T) {
	s := &hbone.ServerStream{Headers: []hbone.Header{
		{Name: "forwarded", Value: `for="10.0.0.1:80";host="server.ns"`},
		{Name: "x-forwarded-network", Value: ""},
		{Name: "baggage", Value: "k8s.namespace.name=abroad"},
		{Name: "baggage", Value: "k8s.pod.name=visitor"},
	}}
	f := readForwarding(s, true)
	if f.host != "server.ns" || !f.hasNetwork || f.network != "" {
		t.Errorf("forwarding %+v", f)
	}
	if f.baggage == nil || f.baggage.Namespace != "abroad" || f.baggage.Workload != "visitor" {
		t.Errorf("baggage %+v", f.baggage)
	}
	if f := readForwarding(s, false); f.baggage != nil {
		t.Errorf("baggage %+v that is not to be believed", f.baggage)
	}
	if f := readForwarding(&hbone.ServerStream{}, true); f.host != "" || f.hasNetwork || f.baggage != nil {
		t.Errorf("forwarding of nothing: %+v", f)
	}
}

func TestDerivedFrom(t *testing.T) {
	id := messages.Identity{TrustDomain: "td", Namespace: "ns", ServiceAccount: "sa"}
	if d := derivedFrom("", id); d == nil || d.Workload != "" || d.Identity != id {
		t.Errorf("an empty header says %+v, want an unknown workload with its identity", d)
	}
	if d := derivedFrom("k8s.pod.name=\xff", id); d != nil {
		t.Errorf("an undecodable header says %+v, want nothing", d)
	}
}

func TestJoinIdentities(t *testing.T) {
	a, b := messages.Identity{TrustDomain: "td", Namespace: "a", ServiceAccount: "x"}, messages.Identity{TrustDomain: "td", Namespace: "b", ServiceAccount: "y"}
	for want, ids := range map[string][]messages.Identity{
		"":                      nil,
		"spiffe://td/ns/a/sa/x": {a},
		"spiffe://td/ns/a/sa/x,spiffe://td/ns/b/sa/y": {a, b},
		"spiffe://td/ns/b/sa/y,spiffe://td/ns/a/sa/x": {b, a},
	} {
		if got := joinIdentities(ids); got != want {
			t.Errorf("joined %q, want %q", got, want)
		}
	}
}

func TestRefusalNamesTheStatus(t *testing.T) {
	for status, want := range map[int]string{
		401: "http status: 401 Unauthorized", 503: "http status: 503 Service Unavailable", 299: "http status: 299",
	} {
		f := refusal(status)
		if f.Text != want || f.Reason.Flag() != "CONNECT" {
			t.Errorf("%d: %q with flag %s, want %q", status, f.Text, f.Reason.Flag(), want)
		}
	}
	if refusal(401).Reason.ErrorType() != "policy_denied" {
		t.Errorf("401 is %s to traces", refusal(401).Reason.ErrorType())
	}
}
