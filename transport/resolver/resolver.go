// Package resolver resolves host names as the proxy's own system does: /etc/hosts first, then the name servers of
// resolv.conf with its search list, ndots and attempts; IPv4 and IPv6 are asked for in parallel and one that succeeds is
// enough (spec/control.md §3.9). It keeps nothing: the DNS cache is its caller's.
package resolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/transport/dnswire"
)

// Config says whom to ask and how. The zero value asks nobody.
type Config struct {
	// Servers are asked in order, with port.
	Servers []netip.AddrPort
	// Domain and Search complete names with fewer than Ndots dots.
	Domain string
	Search []string
	Ndots  int
	// Attempts is how often all servers are asked, Timeout how long one may take; zero means 2 and 5 s.
	Attempts int
	Timeout  time.Duration
	// IPv6 asks for AAAA records too.
	IPv6 bool
	// HostsFile is looked into first; empty means /etc/hosts.
	HostsFile string
}

// Resolver resolves host names. It is safe for concurrent use.
type Resolver struct {
	config   Config
	upstream *dnswire.Upstream
}

const (
	// hostsTTL is how long an entry of the hosts file holds.
	hostsTTL = 10 * time.Second
	// absentAtMost bounds how long a name is taken to have no addresses.
	absentAtMost = 24 * time.Hour
)

// New makes a resolver.
func New(c Config) *Resolver {
	if c.Attempts <= 0 {
		c.Attempts = 2
	}
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	if c.HostsFile == "" {
		c.HostsFile = HostsFile
	}
	return &Resolver{config: c, upstream: dnswire.NewUpstream(dnswire.UpstreamConfig{
		Servers: c.Servers, Timeout: c.Timeout, Attempts: c.Attempts, Dialer: plain{},
	})}
}

// plain dials ordinary sockets.
type plain struct{ net.Dialer }

// DialPacket implements dnswire.Dialer.
func (p plain) DialPacket(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	return p.DialContext(ctx, "udp", addr.String())
}

// DialStream implements dnswire.Dialer.
func (p plain) DialStream(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	return p.DialContext(ctx, "tcp", addr.String())
}

// AbsentError says that a name has no addresses, and for how long that holds.
type AbsentError struct {
	Host string
	For  time.Duration
}

// Error names the host.
func (e *AbsentError) Error() string { return fmt.Sprintf("host %s has no addresses", e.Host) }

// AbsentFor is how long the absence holds.
func (e *AbsentError) AbsentFor() time.Duration { return e.For }

// ErrNoServers says that there is no name server to ask.
var ErrNoServers = errors.New("resolv.conf names no name server")

// Resolve returns the addresses of host and the time for which they hold, the smallest TTL of the records. A name that
// has none is an *AbsentError; failures to ask are other errors.
func (r *Resolver) Resolve(ctx context.Context, host string) ([]netip.Addr, time.Duration, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr.Unmap()}, hostsTTL, nil
	}
	if addrs := r.hosts(host); len(addrs) > 0 {
		return addrs, hostsTTL, nil
	}
	if len(r.config.Servers) == 0 {
		return nil, 0, fmt.Errorf("resolve %s: %w", host, ErrNoServers)
	}
	absent := &AbsentError{Host: host, For: absentAtMost}
	var failed error
	for _, name := range r.names(host) {
		found, err := r.lookUp(ctx, name)
		switch {
		case err != nil:
			failed = errors.Join(failed, fmt.Errorf("resolve %s: %w", name, err))
		case len(found.addrs) > 0:
			return found.addrs, found.ttl, nil
		default:
			absent.For = min(absent.For, found.ttl)
		}
		if ctx.Err() != nil {
			break
		}
	}
	if failed != nil {
		return nil, 0, failed
	}
	return nil, 0, absent
}

// names are the names to try: as it is first when it has more labels than ndots, the completed ones first otherwise.
func (r *Resolver) names(host string) []string {
	if strings.HasSuffix(host, ".") {
		return []string{host}
	}
	bare := dns.Fqdn(host)
	var completed []string
	for _, suffix := range append([]string{r.config.Domain}, r.config.Search...) {
		if suffix != "" {
			completed = append(completed, bare+dns.Fqdn(suffix))
		}
	}
	if dns.CountLabel(bare) > r.config.Ndots {
		return append([]string{bare}, completed...)
	}
	return append(completed, bare)
}
