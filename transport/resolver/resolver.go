// Package resolver resolves host names as the proxy's own system does: /etc/hosts first, then the name servers of
// resolv.conf with its search list, ndots and attempts; IPv4 and IPv6 are asked for in parallel and one that succeeds is
// enough (spec/control.md §3.9). It keeps nothing: the DNS cache is its caller's.
package resolver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
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
	config Config
	client *dns.Client
	stream *dns.Client
}

// hostsTTL is how long an entry of the hosts file holds.
const hostsTTL = 10 * time.Second

// New makes a resolver.
func New(c Config) *Resolver {
	if c.Attempts <= 0 {
		c.Attempts = 2
	}
	if c.Timeout <= 0 {
		c.Timeout = 5 * time.Second
	}
	if c.HostsFile == "" {
		c.HostsFile = "/etc/hosts"
	}
	return &Resolver{
		config: c, client: &dns.Client{Timeout: c.Timeout}, stream: &dns.Client{Net: "tcp", Timeout: c.Timeout},
	}
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
	absent := &AbsentError{Host: host}
	for _, name := range r.names(host) {
		found, err := r.lookUp(ctx, name)
		switch {
		case err != nil:
			return nil, 0, fmt.Errorf("resolve %s: %w", name, err)
		case len(found.addrs) > 0:
			return found.addrs, found.ttl, nil
		case absent.For == 0 || found.ttl < absent.For:
			absent.For = found.ttl
		}
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

// found is what the servers say of one name.
type found struct {
	addrs []netip.Addr
	ttl   time.Duration
}

// lookUp asks for both families at once; one that answers is enough.
func (r *Resolver) lookUp(ctx context.Context, name string) (found, error) {
	type outcome struct {
		found
		err error
	}
	kinds := []uint16{dns.TypeA}
	if r.config.IPv6 {
		kinds = append(kinds, dns.TypeAAAA)
	}
	outcomes := make([]outcome, len(kinds))
	done := make(chan struct{}, len(kinds))
	for i, kind := range kinds {
		go func() {
			outcomes[i].found, outcomes[i].err = r.ask(ctx, name, kind)
			done <- struct{}{}
		}()
	}
	for range kinds {
		<-done
	}
	var all found
	var failed error
	answered := false
	for _, o := range outcomes {
		if o.err != nil {
			failed = errors.Join(failed, o.err)
			continue
		}
		if len(o.addrs) > 0 && (len(all.addrs) == 0 || o.ttl < all.ttl) || !answered {
			all.ttl = o.ttl
		}
		answered = true
		all.addrs = append(all.addrs, o.addrs...)
	}
	if !answered || len(all.addrs) == 0 && failed != nil {
		return found{}, failed
	}
	return all, nil
}

// ask asks the servers in turn for one kind of record.
func (r *Resolver) ask(ctx context.Context, name string, kind uint16) (found, error) {
	query := new(dns.Msg).SetQuestion(name, kind)
	query.SetEdns0(1232, false)
	var failed error
	for range r.config.Attempts {
		for _, server := range r.config.Servers {
			answer, _, err := r.client.ExchangeContext(ctx, query, server.String())
			if err == nil && answer.Truncated {
				answer, _, err = r.stream.ExchangeContext(ctx, query, server.String())
			}
			switch {
			case ctx.Err() != nil:
				return found{}, context.Cause(ctx)
			case err != nil:
				failed = fmt.Errorf("name server %s: %w", server, err)
			case answer.Rcode == dns.RcodeSuccess, answer.Rcode == dns.RcodeNameError:
				return read(answer, kind), nil
			default:
				failed = fmt.Errorf("name server %s answered %s", server, dns.RcodeToString[answer.Rcode])
			}
		}
	}
	return found{}, failed
}

// read takes the addresses out of an answer; without any the TTL is that of the absence.
func read(answer *dns.Msg, kind uint16) found {
	var f found
	ttl := func(seconds uint32) {
		if d := time.Duration(seconds) * time.Second; len(f.addrs) <= 1 || d < f.ttl {
			f.ttl = d
		}
	}
	for _, record := range answer.Answer {
		switch a := record.(type) {
		case *dns.A:
			if addr, ok := netip.AddrFromSlice(a.A.To4()); ok && kind == dns.TypeA {
				f.addrs = append(f.addrs, addr)
				ttl(a.Hdr.Ttl)
			}
		case *dns.AAAA:
			if addr, ok := netip.AddrFromSlice(a.AAAA.To16()); ok && kind == dns.TypeAAAA {
				f.addrs = append(f.addrs, addr)
				ttl(a.Hdr.Ttl)
			}
		}
	}
	if len(f.addrs) > 0 {
		return f
	}
	for _, record := range answer.Ns {
		if soa, ok := record.(*dns.SOA); ok {
			f.ttl = time.Duration(min(soa.Minttl, soa.Hdr.Ttl)) * time.Second
		}
	}
	return f
}

// hosts looks a name up in the hosts file; a file that can't be read has no entries.
func (r *Resolver) hosts(host string) []netip.Addr {
	file, err := os.Open(r.config.HostsFile)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	return readHosts(io.LimitReader(file, 1<<20), strings.TrimSuffix(host, "."))
}

func readHosts(from io.Reader, host string) []netip.Addr {
	var addrs []netip.Addr
	for lines := bufio.NewScanner(from); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(words[0])
		if err != nil {
			continue
		}
		for _, name := range words[1:] {
			if strings.EqualFold(name, host) {
				addrs = append(addrs, addr.Unmap())
			}
		}
	}
	return addrs
}
