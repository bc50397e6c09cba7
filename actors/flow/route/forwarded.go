package route

import (
	"net/netip"
	"strings"
)

// FormatForwarded is the forwarded header of a CONNECT: who calls, and the host name of the service that is meant,
// empty for none (spec/dataplane.md §2.7).
func FormatForwarded(src netip.AddrPort, host string) string {
	v := `for="` + src.String() + `"`
	if host != "" {
		v += ";host=" + host
	}
	return v
}

// ForwardedHost is the host that a forwarded header names: the first ;-separated part that begins with host=, its
// double quotes removed; empty where there is none or the header is not visible ASCII (spec/dataplane.md §4.8).
func ForwardedHost(header string) string {
	for i := range len(header) {
		if c := header[i]; (c < ' ' && c != '\t') || c >= 0x7f {
			return ""
		}
	}
	for part := range strings.SplitSeq(header, ";") {
		if host, ok := strings.CutPrefix(strings.TrimSpace(part), "host="); ok {
			return strings.TrimSuffix(strings.TrimPrefix(host, `"`), `"`)
		}
	}
	return ""
}
