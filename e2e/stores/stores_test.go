package stores

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/messages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTreesRunOverTheStores(t *testing.T) {
	s, err := Start(rand.New(rand.NewPCG(1, 2)), map[string][]netip.Addr{"vm.example": {netip.MustParseAddr("198.51.100.1")}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	a, err := s.NewAsker()
	if err != nil {
		t.Fatal(err)
	}
	key := messages.NamespacedHostname{Namespace: "a", Hostname: "vm.example"}
	vm := &messages.Workload{UID: "vm", Namespace: "a", Hostname: "vm.example", Capacity: 1}
	for store, update := range map[string]any{
		"workloads": &messages.UpdateWorkloads{Set: []messages.WorkloadUpdate{
			{Workload: vm, Ports: map[messages.NamespacedHostname]messages.PortMap{key: nil}},
		}},
		"services": &messages.UpdateServices{Set: []messages.ServiceUpdate{{Service: &messages.Service{
			Namespace: "a", Hostname: "vm.example", Ports: messages.PortMap{80: 8080},
			VIPs: []messages.NetworkAddress{{Addr: netip.MustParseAddr("10.1.0.1")}},
		}}}},
	} {
		to := s.Services
		if store == "workloads" {
			to = s.Workloads
		}
		if err := a.Deliver(to, update); err != nil {
			t.Fatal(err)
		}
	}
	for dst, want := range map[string]string{"10.1.0.1:80": "198.51.100.1:8080", "10.9.9.9:80": "10.9.9.9:80"} {
		step, err := a.Run(&route.Outbound{Source: vm, Dst: netip.MustParseAddrPort(dst), InboundPort: 15008})
		if err != nil {
			t.Fatal(err)
		}
		if step.Request == nil || step.Request.Dial.String() != want {
			t.Errorf("%s: %+v, want %s", dst, step, want)
		}
	}
	if err := a.Deliver(s.Workloads, &messages.FindWorkload{}); err == nil || !strings.Contains(err.Error(), "WorkloadFound") {
		t.Errorf("a question is no update: %v", err)
	}
}
