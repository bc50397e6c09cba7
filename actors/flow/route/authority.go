package route

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/troupe-mesh/troupe/messages"
)

// ParseAuthority reads the authority of a CONNECT: "ip:port" or "[v6]:port" is the address form, kept as written
// (no v4-mapped address is unwrapped); any other "host:port" the host name form, its case kept. The error is a
// [messages.Failure] with ReasonInvalidRequest (spec/dataplane.md §4.5, step 2).
func ParseAuthority(authority string) (messages.HostPort, error) {
	if ap, err := netip.ParseAddrPort(authority); err == nil && ap.Addr().Zone() == "" {
		return messages.AddrHostPort(ap), nil
	}
	i := strings.LastIndexByte(authority, ':')
	if i <= 0 || !isHostname(authority[:i]) {
		return messages.HostPort{}, badAuthority(authority)
	}
	port, err := strconv.ParseUint(authority[i+1:], 10, 16)
	if err != nil || authority[i+1] == '+' {
		return messages.HostPort{}, badAuthority(authority)
	}
	return messages.HostPort{Host: authority[:i], Port: uint16(port)}, nil
}

func badAuthority(authority string) error {
	return messages.Fail(messages.ReasonInvalidRequest, fmt.Sprintf("no valid authority pseudo header: %s", authority))
}

// isHostname reports whether h may be the registered name of an authority: visible ASCII without delimiters. An
// address in brackets is no host name.
func isHostname(h string) bool {
	for i := range len(h) {
		c := h[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`/?#@[]:\"<>^{}|`+"`", c) >= 0 {
			return false
		}
	}
	return true
}
