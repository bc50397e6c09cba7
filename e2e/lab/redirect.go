package lab

import (
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// The constants of redirection (spec/ops.md §4).
const (
	proxyMark    = 0x539 // what the proxy puts on its own packets: 1337
	returnMark   = 0x111 // what connections with a borrowed source address get
	markMask     = 0xfff
	returnTable  = 100
	returnPref   = 32764
	outboundPort = 15001
	inboundPort  = 15006
	hbonePort    = 15008
	dnsPort      = 15053
	// The kubelet's probes come from these addresses.
	probeIPv4 = "169.254.7.127"
	probeIPv6 = "fd16:9254:7127:1337:ffff:ffff:ffff:ffff"
)

// Redirection says which traffic of a pod goes to the proxy's listeners instead.
type Redirection struct {
	// Inbound redirects what arrives too and sets the way back for borrowed source addresses, as istio-cni does for
	// a pod of the mesh (spec/ops.md §4.3). Without it only what the pod sends is redirected, as the reference's
	// tests of dedicated mode do (spec/dataplane.md §1.7).
	Inbound bool
	// DNS redirects DNS queries too. It needs Inbound, and so do the others.
	DNS bool
	// Ingress leaves what arrives alone (the annotation bypass-inbound-capture).
	Ingress bool
	// Reroute are the links whose arrivals are taken for what the pod sends (reroute-virtual-interfaces).
	Reroute []string
	// Tool puts the rules in place.
	Tool Tool
}

// The forms of redirection that the tests use.
var (
	InPod     = Redirection{Inbound: true}
	Dedicated = Redirection{}
)

// install puts the rules into the namespace of the calling thread.
func (r Redirection) install() error {
	if r.Tool != Netlink {
		return r.installByTool()
	}
	conn, err := nftables.New()
	if err != nil {
		return fmt.Errorf("opening nf_tables: %w", err)
	}
	nat := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "t_nat"})
	out := conn.AddChain(chain(nat, "out", nftables.ChainTypeNAT, nftables.ChainHookOutput, -100))
	add := func(table *nftables.Table, to *nftables.Chain, rules []rule) {
		for _, exprs := range rules {
			conn.AddRule(&nftables.Rule{Table: table, Chain: to, Exprs: exprs})
		}
	}
	if !r.Inbound {
		add(nat, out, []rule{when(not(outLo()), tcp(), not(marked(proxyMark))).then(redirect(outboundPort)...)})
		return flush(conn)
	}
	pre := conn.AddChain(chain(nat, "pre", nftables.ChainTypeNAT, nftables.ChainHookPrerouting, -100))
	add(nat, pre, r.inboundRules())
	add(nat, out, outboundRules(r.DNS))
	mangle := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "t_mangle"})
	mpre := conn.AddChain(chain(mangle, "pre", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, -150))
	mout := conn.AddChain(chain(mangle, "out", nftables.ChainTypeRoute, nftables.ChainHookOutput, -150))
	add(mangle, mpre, []rule{when(marked(proxyMark)).then(setConnMark(returnMark)...)})
	add(mangle, mout, []rule{when(connMarked(returnMark)).then(restoreMark()...)})
	if r.DNS {
		raw := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "t_raw"})
		rpre := conn.AddChain(chain(raw, "pre", nftables.ChainTypeFilter, nftables.ChainHookPrerouting, -300))
		rout := conn.AddChain(chain(raw, "out", nftables.ChainTypeFilter, nftables.ChainHookOutput, -300))
		add(raw, rpre, []rule{when(udp(), sourcePort(53), not(marked(proxyMark))).then(zone(1)...)})
		add(raw, rout, []rule{when(udp(), destPort(53), marked(proxyMark)).then(zone(1)...)})
	}
	if err := flush(conn); err != nil {
		return err
	}
	return addReturnPath()
}

func (r Redirection) inboundRules() []rule {
	var rules []rule
	for _, link := range r.Reroute {
		rules = append(rules, when(in(link), tcp()).then(redirect(outboundPort)...))
	}
	if r.Ingress {
		return rules
	}
	for _, probe := range []string{probeIPv4, probeIPv6} {
		rules = append(rules, when(tcp(), source(probe)).then(accept()))
	}
	for _, loopback := range []string{"127.0.0.1", "::1"} {
		rules = append(rules, when(not(dest(loopback)), tcp(), not(destPort(hbonePort)), not(marked(proxyMark))).
			then(redirect(inboundPort)...))
	}
	return rules
}

func outboundRules(dns bool) []rule {
	loopbacks := []string{"127.0.0.1", "::1"}
	rules := []rule{when(tcp(), dest(probeIPv4)).then(accept()), when(tcp(), dest(probeIPv6)).then(accept())}
	if dns {
		rules = append(rules, when(not(outLo()), not(marked(proxyMark)), udp(), destPort(53)).then(redirect(dnsPort)...))
		for _, loopback := range loopbacks {
			rules = append(rules, when(not(dest(loopback)), tcp(), destPort(53), not(marked(proxyMark))).then(redirect(dnsPort)...))
		}
	}
	rules = append(rules, when(tcp(), marked(returnMark)).then(accept()))
	for _, loopback := range loopbacks {
		rules = append(rules, when(outLo(), not(dest(loopback))).then(accept()))
	}
	for _, loopback := range loopbacks {
		rules = append(rules, when(tcp(), not(dest(loopback)), not(marked(proxyMark))).then(redirect(outboundPort)...))
	}
	return rules
}

func chain(t *nftables.Table, name string, kind nftables.ChainType, hook *nftables.ChainHook, priority int) *nftables.Chain {
	return &nftables.Chain{
		Name: name, Table: t, Type: kind, Hooknum: hook,
		Priority: nftables.ChainPriorityRef(nftables.ChainPriority(priority)),
	}
}

func flush(conn *nftables.Conn) error {
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("installing the redirection: %w", err)
	}
	return nil
}

// rule is the expressions of one rule.
type rule []expr.Any

// then ends a rule with what it does.
func (r rule) then(does ...expr.Any) rule { return append(r, does...) }
