package proxyproto

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHeader(t *testing.T) {
	const sig = "0d0a0d0a000d0a515549540a"
	for _, test := range []struct {
		name, src, dst, identity, want string
	}{
		{"IPv4", "10.0.0.1:258", "10.0.0.2:80", "", sig + "2111" + "000c" + "0a000001" + "0a000002" + "0102" + "0050"},
		{
			"IPv6", "[fd00::1]:1", "[fd00::2]:2", "",
			sig + "2121" + "0024" + "fd000000000000000000000000000001" + "fd000000000000000000000000000002" + "0001" + "0002",
		},
		{
			"identity", "10.0.0.1:1", "10.0.0.2:2", "spiffe://t/ns/n/sa/s",
			sig + "2111" + "0023" + "0a000001" + "0a000002" + "0001" + "0002" + "d00014" + hex.EncodeToString([]byte("spiffe://t/ns/n/sa/s")),
		},
		{"families differ", "10.0.0.1:1", "[fd00::2]:2", "x", sig + "2101" + "0004" + "d0000178"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := hex.EncodeToString(Header(netip.MustParseAddrPort(test.src), netip.MustParseAddrPort(test.dst), test.identity))
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestHeaderLeavesOutAnIdentityThatIsTooLong(t *testing.T) {
	src, dst := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.2:2")
	if got := Header(src, dst, strings.Repeat("x", longestTLV+1)); !bytes.Equal(got, Header(src, dst, "")) {
		t.Errorf("a header of %d bytes, want none of the identity in it", len(got))
	}
	if got := Header(src, dst, strings.Repeat("x", longestTLV)); len(got) != 16+12+3+longestTLV {
		t.Errorf("a header of %d bytes", len(got))
	}
}
