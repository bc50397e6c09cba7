package istiod

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/anypb"

	wire "github.com/troupe-mesh/troupe/transport/wire/discovery"
	"github.com/troupe-mesh/troupe/transport/wire/workload"
	"github.com/troupe-mesh/troupe/transport/xds"
)

// named is a workload under a name of its own.
func named(name string, w *workload.Workload) *wire.Resource {
	r := resource(w.Uid, &workload.Address{Type: &workload.Address_Workload{Workload: w}})
	r.Name = name
	return r
}

// What no control plane should say is answered, harms nothing else, and leaves no trace in the state that can't be taken
// back.
func TestOddAnswers(t *testing.T) {
	s := start(t, Options{})
	s.World.Change(func(c *Change) { c.Workload(pod("a", "10.0.0.1")) })
	odd := make(chan *wire.DeltaDiscoveryResponse, 1)
	s.Follow(Script{Answer: func(_ context.Context, _ *Stream, r *wire.DeltaDiscoveryResponse) (*wire.DeltaDiscoveryResponse, error) {
		select {
		case other := <-odd:
			return other, nil
		default:
			return r, nil
		}
	}})
	p := drive(t, s)
	p.awaitSync()
	nonces := 0
	// say makes the server say it, and returns what the client answers.
	say := func(r *wire.DeltaDiscoveryResponse) *wire.DeltaDiscoveryRequest {
		t.Helper()
		if nonces++; r.Nonce == "" {
			r.Nonce = fmt.Sprint("odd-", nonces)
		}
		if r.TypeUrl == "" {
			r.TypeUrl = AddressType
		}
		before := len(s.Requests())
		odd <- r
		s.World.Change(func(c *Change) { c.Remove(AddressType, "whatever") })
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		seen := 0
		answer, err := s.Await(ctx, func(o Observed) bool {
			seen++
			return seen > before && o.Request.ResponseNonce == r.Nonce && o.Request.TypeUrl == r.TypeUrl
		})
		if err != nil {
			t.Fatalf("%.100s: %v", r, err)
		}
		return answer.Request
	}
	resources := func(all ...*wire.Resource) *wire.DeltaDiscoveryResponse {
		return &wire.DeltaDiscoveryResponse{Resources: all}
	}
	removed := func(names ...string) *wire.DeltaDiscoveryResponse {
		return &wire.DeltaDiscoveryResponse{RemovedResources: names}
	}
	accepts := func(what string, r *wire.DeltaDiscoveryResponse) {
		t.Helper()
		if answer := say(r); answer.ErrorDetail != nil {
			t.Errorf("%s: NACK %.300q", what, answer.ErrorDetail.Message)
		}
	}
	ipOf := func(name string) string {
		if w := p.workload(name); w != nil {
			return w.WorkloadIPs[0].String()
		}
		return ""
	}
	holds := func(what string, want map[string]string) {
		t.Helper()
		for name, ip := range want {
			if got := ipOf(name); got != ip {
				t.Errorf("%s: %s has address %q, want %q", what, name, got, ip)
			}
		}
	}

	accepts("an unknown type", &wire.DeltaDiscoveryResponse{
		TypeUrl: "type.googleapis.com/" + strings.Repeat("x", 100_000), Resources: []*wire.Resource{{Name: uid("a"), Resource: &anypb.Any{}}}, RemovedResources: []string{uid("a")},
	})
	holds("an unknown type", map[string]string{uid("a"): "10.0.0.1"})

	accepts("one resource twice", resources(named(uid("b"), pod("b", "10.0.0.2")), named(uid("b"), pod("b", "10.0.0.3"))))
	holds("one resource twice", map[string]string{uid("b"): "10.0.0.3"})
	accepts("its removal", removed(uid("b"), uid("b"), "never/sent", "never", "/", ""))
	holds("its removal", map[string]string{uid("a"): "10.0.0.1", uid("b"): ""})

	first := resources(named(uid("c"), pod("c", "10.0.0.4")))
	first.Nonce = "again"
	accepts("a nonce", first)
	second := resources(named(uid("d"), pod("d", "10.0.0.5")))
	second.Nonce = "again"
	accepts("the same nonce", second)
	holds("the same nonce", map[string]string{uid("c"): "10.0.0.4", uid("d"): "10.0.0.5"})

	accepts("another name than its content's", resources(named("called", pod("e", "10.0.0.6"))))
	holds("another name", map[string]string{uid("e"): "10.0.0.6", "called": ""})
	accepts("that name for something else", resources(named("called", pod("f", "10.0.0.7"))))
	holds("that name for something else", map[string]string{uid("e"): "", uid("f"): "10.0.0.7"})
	service := resource("called", &workload.Address{Type: &workload.Address_Service{Service: app()}})
	accepts("that name for a workload and then a service", resources(named("called", pod("g", "10.0.0.8")), service))
	holds("that name for a service", map[string]string{uid("f"): "", uid("g"): ""})
	if p.service("ns", "app.ns.svc.cluster.local") == nil {
		t.Error("the service of another name is not there")
	}
	accepts("the removal of that name", removed("called"))
	if p.service("ns", "app.ns.svc.cluster.local") != nil {
		t.Error("the service of another name stayed")
	}

	accepts("a resource that is removed as well", &wire.DeltaDiscoveryResponse{
		Resources: []*wire.Resource{named(uid("h"), pod("h", "10.0.0.9"))}, RemovedResources: []string{uid("h")},
	})
	holds("a resource that is removed as well", map[string]string{uid("h"): ""})

	huge := strings.Repeat("n", 1<<20)
	for what, r := range map[string]*wire.DeltaDiscoveryResponse{
		"a huge name": resources(named(huge, pod("i", "10.0.0.10"))),
		"many of them": resources(named(huge+"1", pod("i", "10.0.0.10")), named(huge+"2", pod("i", "10.0.0.10")),
			named(uid("j"), pod("j", "10.0.0.11"))),
	} {
		answer := say(r)
		said := answer.GetErrorDetail().GetMessage()
		if !strings.Contains(said, "nnn: its name, of which this is the beginning, has more than 4096 bytes") || len(said) > 2000 {
			t.Errorf("%s: NACK %d bytes, %.300q", what, len(said), said)
		}
	}
	holds("huge names", map[string]string{uid("i"): "", uid("j"): "10.0.0.11"})
	accepts("the removal of a huge name", removed(huge))

	if p.ended(xds.EndError)+p.ended(xds.EndConnectionError)+p.ended(xds.EndReconnect)+p.ended(xds.EndComplete) != 0 || s.Streams() != 1 {
		t.Error("the stream did not last")
	}
	if said := p.logged(); len(said) > 100_000 {
		t.Errorf("the log has %d bytes", len(said))
	}
	// What is echoed afterwards is what is held, and of no more than names that are.
	s.Cut()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again, err := s.Await(ctx, func(o Observed) bool { return o.Stream == 2 && o.Request.TypeUrl == AddressType })
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range again.Request.InitialResourceVersions {
		names = append(names, name)
	}
	if len(names) != 4 {
		t.Errorf("echoed %.300q: want a, c, d and j", names)
	}
}
