package messages

import (
	"net/netip"
	"testing"
)

func TestAddressRank(t *testing.T) {
	pod, other := "cluster//Pod/default/web-0", "cluster/networking.istio.io/WorkloadEntry/default/web"
	order := []*Workload{
		{UID: other, Protocol: ProtocolTCP},
		{UID: other, Protocol: ProtocolHBONE},
		{UID: pod, Protocol: ProtocolTCP},
		{UID: pod, Protocol: ProtocolHBONE},
	}
	for i := 1; i < len(order); i++ {
		if order[i].AddressRank() <= order[i-1].AddressRank() {
			t.Errorf("%v does not rank above %v", order[i], order[i-1])
		}
	}
}

func TestWorkloadViews(t *testing.T) {
	w := &Workload{
		UID: "u", Name: "web-0", Namespace: "default", TrustDomain: "td", ServiceAccount: "web", Protocol: ProtocolHBONE,
		WorkloadIPs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
	}
	if got := w.Identity(); got != (Identity{"td", "default", "web"}) {
		t.Errorf("identity %v", got)
	}
	for ip, want := range map[string]bool{"10.0.0.1": true, "fd00::1": true, "10.0.0.2": false, "::ffff:10.0.0.1": false} {
		if got := w.HasIP(netip.MustParseAddr(ip)); got != want {
			t.Errorf("has %s: %v", ip, got)
		}
	}
	if got := w.String(); got != "Workload{web-0 with uid u (HBONE)}" {
		t.Errorf("text %q", got)
	}
}

func TestWorkloadNames(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{ProtocolTCP.String(), "TCP"},
		{ProtocolHBONE.String(), "HBONE"},
		{NetworkStandard.String(), "Standard"},
		{NetworkHost.String(), "HostNetwork"},
		{Healthy.String(), "Healthy"},
		{Unhealthy.String(), "Unhealthy"},
		{TunnelNone.String(), "NONE"},
		{TunnelProxy.String(), "PROXY"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q: want %q", tt.got, tt.want)
		}
	}
}
