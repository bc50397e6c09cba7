package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func TestParseResolver(t *testing.T) {
	r := parseResolver(`# comment
domain example.org ; trailing
search a.example b.example
nameserver 10.0.0.1
nameserver fd00::1
nameserver not-an-address
nameserver
options ndots:5 timeout:99 attempts:0 edns0 ndots:x
`)
	want := []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53"), netip.MustParseAddrPort("[fd00::1]:53")}
	if r.Domain != "example.org" || !slices.Equal(r.Search, []string{"a.example", "b.example"}) ||
		!slices.Equal(r.NameServers, want) || r.Ndots != 5 || r.TimeoutSeconds != 30 || r.Attempts != 1 {
		t.Errorf("got %+v", r)
	}
	many := parseResolver(strings.Repeat("nameserver 1.1.1.1\n", 100))
	if len(many.NameServers) != maxNameServers {
		t.Errorf("got %d name servers", len(many.NameServers))
	}
}
