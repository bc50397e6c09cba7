package socket

import (
	"net"
	"net/netip"
	"testing"
)

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"[::ffff:10.0.0.1]:80": "10.0.0.1:80",
		"10.0.0.1:80":          "10.0.0.1:80",
		"[2001:db8::1]:80":     "[2001:db8::1]:80",
	} {
		if got := Canonical(netip.MustParseAddrPort(in)); got.String() != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	if got := PeerAddrPort(a); got.IsValid() {
		t.Errorf("a pipe's peer is %s", got)
	}
	if got := LocalAddrPort(a); got.IsValid() {
		t.Errorf("a pipe's own address is %s", got)
	}
}
