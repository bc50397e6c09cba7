package config

import (
	"errors"
	"io/fs"
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

func TestReadResolver(t *testing.T) {
	for content, want := range map[string]string{
		"nameserver 10.0.0.1\nsearch a.b\noptions timeout:1\n": "",
		"search a.b\n":           "resolv.conf: it names no name server",
		"nameserver localhost\n": "resolv.conf: it names no name server",
	} {
		r, err := ReadResolver(host(1, map[string]string{resolverFile: content}))
		if (err == nil) != (want == "") || err != nil && (!errors.Is(err, ErrNoNameServer) || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", content, err)
		}
		if err == nil && (len(r.NameServers) != 1 || r.TimeoutSeconds != 1) {
			t.Errorf("%q: %+v", content, r)
		}
	}
	if _, err := ReadResolver(host(1, nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
}
