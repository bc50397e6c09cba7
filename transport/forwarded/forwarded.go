package forwarded

import (
	"fmt"
	"net/netip"
	"strings"
)

// Header is the header's name.
const Header = "forwarded"

// IllegalHostError says that a host can't stand in the header.
type IllegalHostError struct{ Host string }

func (e *IllegalHostError) Error() string {
	return fmt.Sprintf("forwarded host %q has a character that is illegal in a header", e.Host)
}

// Value is the header's value for a client and the host name of the service that it meant, which is left out if it
// is empty. A host with a control character is an *IllegalHostError.
func Value(client netip.AddrPort, host string) (string, error) {
	if host == "" {
		return `for="` + client.String() + `"`, nil
	}
	for i := range len(host) {
		if c := host[i]; c < ' ' && c != '\t' || c == 0x7f {
			return "", &IllegalHostError{Host: host}
		}
	}
	return `for="` + client.String() + `";host=` + host, nil
}

// Host is the host in a header's first line; empty if there is none. The first part between semicolons that begins
// with host= counts, in lower case only, and one pair of quotes around it is taken off. Commas separate nothing.
// A line that is not ASCII has no host.
func Host(line string) string {
	for i := range len(line) {
		if line[i] >= 0x80 {
			return ""
		}
	}
	for part := range strings.SplitSeq(line, ";") {
		if host, ok := strings.CutPrefix(strings.TrimSpace(part), "host="); ok {
			return strings.TrimSuffix(strings.TrimPrefix(host, `"`), `"`)
		}
	}
	return ""
}
