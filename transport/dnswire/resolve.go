package dnswire

import (
	"context"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// localTTL is how long what the proxy knows by itself holds, in seconds.
const localTTL = 10

// Resolve finds the reply to a question: what is known without asking, else what the servers say; where their answer ends
// in an alias, the alias is asked for too, and the chain is in the reply.
func (u *Upstream) Resolve(ctx context.Context, k Key) (*Reply, error) {
	if m := known(k); m != nil {
		return newReply(k, m, netip.AddrPort{})
	}
	if m := u.local(k); m != nil {
		return newReply(k, m, netip.AddrPort{})
	}
	m, server, err := u.Ask(ctx, k)
	if err != nil {
		return nil, err
	}
	if m, err = u.follow(ctx, k, m); err != nil {
		return nil, err
	}
	return newReply(k, m, server)
}

// follow asks for the target of the last alias, as long as there is one without what was asked for.
func (u *Upstream) follow(ctx context.Context, k Key, m *dns.Msg) (*dns.Msg, error) {
	seen := map[string]bool{k.Domain(): true}
	for len(m.Answer) > 0 && m.Rcode == dns.RcodeSuccess && !hasTarget(k, m.Answer) && len(m.Ns) == 0 && k.Type != dns.TypeCNAME {
		chain := aliases(k.Domain(), k.Type, m.Answer)
		last := chain[len(chain)-1]
		if seen[last] || len(chain) >= maxAliases {
			break
		}
		seen[last] = true
		next, ok := QuestionKey(last, k.Type)
		if !ok {
			break
		}
		next.Class, next.DO, next.CD = k.Class, k.DO, k.CD
		further, _, err := u.Ask(ctx, next)
		if err != nil {
			return nil, err
		}
		answer := append(m.Answer, further.Answer...)
		m = further
		m.Answer = answer
	}
	return m, nil
}

// local is what the hosts file says.
func (u *Upstream) local(k Key) *dns.Msg {
	if u.config.Local == nil || k.Class != dns.ClassINET || k.Type != dns.TypeA && k.Type != dns.TypeAAAA {
		return nil
	}
	addrs := u.config.Local(k)
	if len(addrs) == 0 {
		return nil
	}
	return addresses(k, addrs)
}

func addresses(k Key, addrs []netip.Addr) *dns.Msg {
	m := new(dns.Msg)
	head := dns.RR_Header{Name: k.Domain(), Rrtype: k.Type, Class: dns.ClassINET, Ttl: localTTL}
	for _, a := range addrs {
		switch {
		case k.Type == dns.TypeA && a.Is4():
			m.Answer = append(m.Answer, &dns.A{Hdr: head, A: a.AsSlice()})
		case k.Type == dns.TypeAAAA && a.Is6():
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: head, AAAA: a.AsSlice()})
		}
	}
	return m
}

// known answers what no server must be asked for: names of this host, and names that don't exist (RFC 6761, RFC 7686).
func known(k Key) *dns.Msg {
	name := k.Domain()
	under := func(domain string) bool { return name == domain || strings.HasSuffix(name, "."+domain) }
	switch {
	case k.Class != dns.ClassINET:
	case under("localhost."):
		return addresses(k, []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()})
	case under("invalid."), under("onion."):
		return &dns.Msg{MsgHdr: dns.MsgHdr{Rcode: dns.RcodeNameError}}
	case k.Type == dns.TypePTR && (under("127.in-addr.arpa.") || name == loopback6):
		return &dns.Msg{Answer: []dns.RR{&dns.PTR{
			Hdr: dns.RR_Header{Name: name, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: localTTL}, Ptr: "localhost.",
		}}}
	}
	return nil
}

// loopback6 is ::1 in reverse.
const loopback6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa."
