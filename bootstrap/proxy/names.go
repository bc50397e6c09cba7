package proxy

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/troupe-mesh/troupe/actors/dns"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/dnswire"
	"github.com/troupe-mesh/troupe/transport/resolver"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// namesNetwork is where a pod's DNS proxy has its sockets. A network that has no datagrams borrows the kernel's.
type namesNetwork struct {
	socket.Network
	socket.PacketNetwork
}

var (
	_ dns.Network    = namesNetwork{}
	_ dnswire.Dialer = namesNetwork{}
)

// DialStream implements dnswire.Dialer.
func (n namesNetwork) DialStream(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	return n.Dial(ctx, addr, socket.DialOptions{})
}

// namesProxy is a pod's DNS proxy before the pod has it; config is nil where there is none.
type namesProxy struct{ config *dns.Config }

func (n *namesProxy) close() {
	if n.config != nil {
		dns.Close(n.config.Sockets)
	}
}

// listenPodDNS is listenDNS for a pod of the node: with the name servers that there are now (spec/ops.md §1.5). Without any
// the pod is not served, and the agent tries again.
func (p *Proxy) listenPodDNS(ctx context.Context, network socket.Network, o socket.ListenOptions) (*namesProxy, error) {
	if !p.config.DNSProxy {
		return &namesProxy{}, nil
	}
	servers, err := config.ReadResolver(config.ThisHost())
	if err != nil {
		return nil, fmt.Errorf("the DNS proxy: %w", err)
	}
	return p.listenDNS(ctx, network, o, &servers)
}

// listenDNS binds the DNS proxy's sockets, where it is on; servers are who it asks.
func (p *Proxy) listenDNS(ctx context.Context, network socket.Network, o socket.ListenOptions, servers *config.Resolver) (*namesProxy, error) {
	c, log := p.config, namesLog{p.logs.Scope("ztunnel::dns::server")}
	if !c.DNSProxy {
		return &namesProxy{}, nil
	}
	n := namesNetwork{Network: network}
	var ok bool
	if n.PacketNetwork, ok = network.(socket.PacketNetwork); !ok {
		n.PacketNetwork = socket.New(p.kernelConfig()).(socket.PacketNetwork)
	}
	at := c.DNS
	if probe, ok := network.(socket.LoopbackProbe); ok && at.IPv6 {
		at.IPv6 = probe.HasIPv6Loopback() // in the pod: the host has it
	}
	sockets, err := dns.Listen(ctx, n, at.AddrPorts(), o, func(err error) {
		log.log.Warn("no IPv6 for the DNS proxy in this network namespace").Err(err).Send()
	})
	if err != nil {
		return nil, fmt.Errorf("the DNS proxy (is another proxy running?): %w", err)
	}
	d := &dns.Config{
		Sockets: sockets, Server: p.names.server, Limits: p.names.limits, Upstream: p.upstream(n, servers), Log: log,
		Domain: messages.CanonicalHost(c.ClusterDomain), Search: searchDomains(c.Resolver.Search), IPv6: c.IPv6Enabled,
	}
	if c.PreferredServiceNamespace != nil {
		d.Preferred = *c.PreferredServiceNamespace
	}
	return &namesProxy{d}, nil
}

// upstream are the name servers of resolv.conf, asked from where the pod is, without its search list: the application's
// own resolver has applied one already (spec/control.md §6.6).
func (p *Proxy) upstream(n namesNetwork, c *config.Resolver) *dnswire.Upstream {
	return dnswire.NewUpstream(dnswire.UpstreamConfig{
		Servers: c.NameServers, Timeout: time.Duration(c.TimeoutSeconds) * time.Second, Attempts: int(c.Attempts), Dialer: n,
		Local: func(k dnswire.Key) []netip.Addr {
			return resolver.Hosts(resolver.HostsFile, strings.TrimSuffix(k.Domain(), "."))
		},
		Mismatched: &p.names.server.Counters.Mismatched,
	})
}

// searchDomains are those of a dedicated proxy's own resolv.conf, which is its workload's.
func searchDomains(list []string) []string {
	all := make([]string, 0, len(list))
	for _, domain := range list {
		if host := messages.CanonicalHost(domain); host != "" {
			all = append(all, host)
		}
	}
	return all
}

// namesLog writes what a DNS proxy says, in the reference's scope and words (spec/ops.md §3.5).
type namesLog struct{ log *logs.Logger }

var _ dns.Log = namesLog{}

// DNSStarted tells of a bound socket.
func (l namesLog) DNSStarted(addr netip.AddrPort) {
	l.log.Info("starting local DNS server").AddrPort(messages.FieldAddress, addr).Str(messages.FieldComponent, "dns").Send()
}

// DNSDraining tells that no more questions are taken.
func (l namesLog) DNSDraining() { l.log.Info("shutting down the DNS server").Send() }

// DNSDrained tells that all questions are answered.
func (l namesLog) DNSDrained() { l.log.Info("dns server drained").Send() }

// DNSFailed tells of a socket that failed.
func (l namesLog) DNSFailed(err error) {
	l.log.Error("a socket of the DNS proxy failed").Err(err).Send()
}

// DNSDomainUnused tells that CLUSTER_DOMAIN may be wrong.
func (l namesLog) DNSDomainUnused(domain, seen string) {
	l.log.Warn(fmt.Sprintf("no question so far was for a service below svc.%s, many for services below svc.%s: is CLUSTER_DOMAIN right?",
		domain, seen)).Send()
}

// namesCounters are what the DNS proxies of all pods count.
type namesCounters struct {
	server *dnswire.Server
	limits *dns.Limits
}

func newNamesCounters() *namesCounters {
	return &namesCounters{server: &dnswire.Server{Counters: &dnswire.Counters{}}, limits: dns.DefaultLimits()}
}

// watchNames shows what the DNS proxies count, where they are on.
func (p *Proxy) watchNames() {
	if !p.config.DNSProxy {
		return
	}
	n := p.names
	p.telemetry.Watch(
		trace.Watched{
			Name: "troupe_dns_cache", Help: "The current number of cached replies of name servers, and their bytes", Label: "unit",
			Read: func(tell func(string, uint64)) {
				entries, bytes := n.limits.Cached()
				tell("replies", uint64(max(entries, 0)))
				tell("bytes", uint64(max(bytes, 0)))
			},
		},
		trace.Watched{
			Name: "troupe_dns_questions_under_way", Help: "The current number of questions under way to name servers",
			Read: func(tell func(string, uint64)) { tell("", uint64(max(n.limits.UnderWay(), 0))) },
		},
		trace.Watched{
			Name: "troupe_dns_cache_lookups", Help: "The total number of look-ups in the cache of name servers' replies", Counter: true,
			Label: "result", Read: func(tell func(string, uint64)) {
				tell("hit", n.limits.Hits.Load())
				tell("miss", n.limits.Misses.Load())
				tell("shared", n.limits.Shared.Load())
				tell("refused", n.limits.Refused.Load())
				tell("evicted", n.limits.Evicted.Load())
			},
		},
		trace.Watched{
			Name: "troupe_dns_messages_unanswered", Help: "The total number of messages that were not answered as questions", Counter: true,
			Label: "reason", Read: func(tell func(string, uint64)) {
				c := n.server.Counters
				tell("ignored", c.Ignored.Load())
				tell("malformed", c.Malformed.Load())
				tell("connection_refused", c.Refused.Load())
				tell("not_sent", c.NotSent.Load())
				tell("repeated", c.Repeated.Load())
				tell("upstream_mismatch", c.Mismatched.Load())
			},
		},
	)
}
