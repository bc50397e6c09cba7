package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// resolverFile configures the system's DNS resolver.
const resolverFile = "/etc/resolv.conf"

// maxNameServers bounds what is taken from the resolver's file.
const maxNameServers = 16

// Resolver is the system's DNS configuration, for host names of workloads (spec/ops.md §1.5).
type Resolver struct {
	Domain      string
	Search      []string
	NameServers []netip.AddrPort
	// Ndots, TimeoutSeconds and Attempts are the options of that name.
	Ndots, TimeoutSeconds, Attempts uint32
}

// resolver reads the system's resolver file. Where it can't be read there are no name servers and a warning: nothing but
// workloads known by host name needs them.
func (l *loader) resolver() Resolver {
	content, err := l.host.ReadFile(resolverFile)
	if err != nil {
		l.env.warn("no DNS resolver for workloads known by host name: " + err.Error())
	}
	return parseResolver(string(content))
}

// ErrNoNameServer says that a resolver file names no name server.
var ErrNoNameServer = errors.New("it names no name server")

// ReadResolver reads the system's resolver file as it is now. It fails where that can't be read, or names nobody to ask.
func ReadResolver(h Host) (Resolver, error) {
	content, err := h.ReadFile(resolverFile)
	if err != nil {
		return Resolver{}, fmt.Errorf("read the DNS resolver's configuration: %w", err)
	}
	r := parseResolver(string(content))
	if len(r.NameServers) == 0 {
		return Resolver{}, fmt.Errorf("read the DNS resolver's configuration: %s: %w", resolverFile, ErrNoNameServer)
	}
	return r, nil
}

func parseResolver(content string) Resolver {
	r := Resolver{Search: []string{}, Ndots: 1, TimeoutSeconds: 5, Attempts: 2}
	for line := range strings.Lines(content) {
		if i := strings.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(words[1]); err == nil && len(r.NameServers) < maxNameServers {
				r.NameServers = append(r.NameServers, netip.AddrPortFrom(a, 53))
			}
		case "domain":
			r.Domain = words[1]
		case "search":
			r.Search = words[1:]
		case "options":
			r.options(words[1:])
		}
	}
	return r
}

func (r *Resolver) options(words []string) {
	for _, word := range words {
		name, value, _ := strings.Cut(word, ":")
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			continue
		}
		switch name {
		case "ndots":
			r.Ndots = uint32(min(n, 15))
		case "timeout":
			r.TimeoutSeconds = uint32(min(max(n, 1), 30))
		case "attempts":
			r.Attempts = uint32(min(max(n, 1), 5))
		}
	}
}
