package messages

import (
	"net/netip"
	"testing"
)

func TestParseNetworkAddress(t *testing.T) {
	for _, tt := range []struct {
		text string
		want NetworkAddress
		ok   bool
	}{
		{"net/10.0.0.1", NetworkAddress{"net", netip.MustParseAddr("10.0.0.1")}, true},
		{"/10.0.0.1", NetworkAddress{"", netip.MustParseAddr("10.0.0.1")}, true},
		{"net/fd00::1", NetworkAddress{"net", netip.MustParseAddr("fd00::1")}, true},
		{"10.0.0.1", NetworkAddress{}, false},
		{"net/", NetworkAddress{}, false},
		{"net/10.0.0", NetworkAddress{}, false},
		{"net/10.0.0.1/32", NetworkAddress{}, false},
		{"net/fe80::1%eth0", NetworkAddress{}, false},
		{"", NetworkAddress{}, false},
	} {
		got, err := ParseNetworkAddress(tt.text)
		if (err == nil) != tt.ok || got != tt.want {
			t.Errorf("%q: %v, %v: want %v", tt.text, got, err, tt.want)
		}
		if err == nil && got.String() != tt.text {
			t.Errorf("%q reads back as %q", tt.text, got)
		}
	}
}

func TestNetworkPrefixContains(t *testing.T) {
	p := NetworkPrefix{Network: "net", Prefix: netip.MustParsePrefix("10.1.0.0/16")}
	for _, tt := range []struct {
		network, addr string
		want          bool
	}{
		{"net", "10.1.2.3", true},
		{"net", "10.1.0.0", true},
		{"net", "10.1.255.255", true},
		{"net", "10.2.0.0", false},
		{"other", "10.1.2.3", false},
		{"", "10.1.2.3", false},
		{"net", "fd00::1", false},
	} {
		if got := p.Contains(NetworkAddress{tt.network, netip.MustParseAddr(tt.addr)}); got != tt.want {
			t.Errorf("%s/%s: %v", tt.network, tt.addr, got)
		}
	}
}

func TestParseDestination(t *testing.T) {
	for _, tt := range []struct {
		text     string
		hostname bool
		ok       bool
	}{
		{"net/10.0.0.1", false, true},
		{"/fd00::1", false, true},
		{"default/waypoint.default.svc.cluster.local", true, true},
		{"default/", true, true},
		{"waypoint", false, false},
		{"", false, false},
	} {
		got, err := ParseDestination(tt.text)
		if (err == nil) != tt.ok {
			t.Errorf("%q: %v", tt.text, err)
			continue
		}
		if err == nil && (got.IsHostname() != tt.hostname || got.String() != tt.text) {
			t.Errorf("%q: host name %v, reads back as %q", tt.text, got.IsHostname(), got)
		}
	}
}

func TestParseNamespacedHostname(t *testing.T) {
	got, err := ParseNamespacedHostname("default/a.b/c")
	if want := (NamespacedHostname{"default", "a.b/c"}); err != nil || got != want || got.String() != "default/a.b/c" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ParseNamespacedHostname("default"); err == nil {
		t.Error("no slash was accepted")
	}
}

func TestHostPort(t *testing.T) {
	for _, tt := range []struct {
		h    HostPort
		want string
	}{
		{AddrHostPort(netip.MustParseAddrPort("10.0.0.1:80")), "10.0.0.1:80"},
		{AddrHostPort(netip.MustParseAddrPort("[fd00::1]:80")), "[fd00::1]:80"},
		{HostPort{Host: "web.default.svc", Port: 8080}, "web.default.svc:8080"},
	} {
		if got := tt.h.String(); got != tt.want || tt.h.IsZero() {
			t.Errorf("%+v: %q, zero %v: want %q", tt.h, got, tt.h.IsZero(), tt.want)
		}
	}
	if !(HostPort{}).IsZero() {
		t.Error("nothing is something")
	}
	if got := AddrHostPort(netip.MustParseAddrPort("10.0.0.1:80")).AddrPort(); got != netip.MustParseAddrPort("10.0.0.1:80") {
		t.Errorf("socket address %v", got)
	}
}
