package lab

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
)

// Tool is what puts the rules of a redirection in place.
type Tool string

// The tools. The agent has the two forms of iptables, and nft; without one the rules go by netlink, which every test can do.
const (
	Netlink        Tool = ""
	IPTables       Tool = "iptables-nft"
	IPTablesLegacy Tool = "iptables-legacy"
	NFT            Tool = "nft"
)

// IsHere says whether the tool is installed.
func (t Tool) IsHere() bool {
	for _, command := range t.commands() {
		if _, err := exec.LookPath(command); err != nil {
			return false
		}
	}
	return true
}

// commands are those that take the rules: of both families, or one for each.
func (t Tool) commands() []string {
	switch t {
	case Netlink:
		return nil
	case NFT:
		return []string{"nft"}
	case IPTables, IPTablesLegacy:
	}
	return []string{string(t) + "-restore", "ip6" + strings.TrimPrefix(string(t), "ip") + "-restore"}
}

// installByTool puts the rules into the namespace of the calling thread.
func (r Redirection) installByTool() error {
	for i, command := range r.Tool.commands() {
		args, rules := []string{"--noflush"}, r.iptables(i == 1)
		if r.Tool == NFT {
			args, rules = []string{"-f", "-"}, r.nft()
		}
		cmd := exec.Command(command, args...)
		cmd.Stdin = strings.NewReader(rules)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Run(); err != nil { // it inherits the namespace of the thread that forks
			return fmt.Errorf("%s: %w\n%s%s", command, err, said.String(), rules)
		}
	}
	return addReturnPath()
}

// iptables is the agent's rules of one family (spec/ops.md §4.2), for iptables-restore.
func (r Redirection) iptables(v6 bool) string {
	loopback, probe := "127.0.0.1/32", probeIPv4
	if v6 {
		loopback, probe = "::1/128", probeIPv6
	}
	var b strings.Builder
	table := func(name string, rules ...string) {
		fmt.Fprintf(&b, "*%s\n:ISTIO_PRERT - [0:0]\n:ISTIO_OUTPUT - [0:0]\n", name)
		b.WriteString("-A PREROUTING -j ISTIO_PRERT\n-A OUTPUT -j ISTIO_OUTPUT\n")
		for _, rule := range rules {
			b.WriteString("-A " + rule + "\n")
		}
		b.WriteString("COMMIT\n")
	}
	table("mangle",
		"ISTIO_PRERT -m mark --mark 0x539/0xfff -j CONNMARK --set-xmark 0x111/0xfff",
		"ISTIO_OUTPUT -m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff")
	var nat []string
	for _, link := range r.Reroute {
		nat = append(nat, "ISTIO_PRERT -i "+link+" -p tcp -j REDIRECT --to-ports 15001", "ISTIO_PRERT -i "+link+" -p tcp -j RETURN")
	}
	if !r.Ingress {
		nat = append(nat, "ISTIO_PRERT -s "+probe+" -p tcp -m tcp -j ACCEPT",
			"ISTIO_PRERT ! -d "+loopback+" -p tcp ! --dport 15008 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15006")
	}
	nat = append(nat, "ISTIO_OUTPUT -d "+probe+" -p tcp -m tcp -j ACCEPT")
	if r.DNS {
		nat = append(nat, "ISTIO_OUTPUT ! -o lo -p udp -m mark ! --mark 0x539/0xfff -m udp --dport 53 -j REDIRECT --to-port 15053",
			"ISTIO_OUTPUT ! -d "+loopback+" -p tcp --dport 53 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15053")
	}
	nat = append(nat, "ISTIO_OUTPUT -p tcp -m mark --mark 0x111/0xfff -j ACCEPT",
		"ISTIO_OUTPUT ! -d "+loopback+" -o lo -j ACCEPT",
		"ISTIO_OUTPUT ! -d "+loopback+" -p tcp -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15001")
	table("nat", nat...)
	if r.DNS {
		table("raw", "ISTIO_OUTPUT -p udp -m mark --mark 0x539/0xfff -m udp --dport 53 -j CT --zone 1",
			"ISTIO_PRERT -p udp -m mark ! --mark 0x539/0xfff -m udp --sport 53 -j CT --zone 1")
	}
	return b.String()
}

// nft is the agent's rules of both families (spec/ops.md §4.3), for nft -f.
func (r Redirection) nft() string {
	var b strings.Builder
	table := func(name, priority, output string, pre, out []string) {
		fmt.Fprintf(&b, "table inet istio-ambient-%s {\n", name)
		prerouting := "filter"
		if name == "nat" {
			prerouting = "nat"
		}
		for _, c := range []struct {
			chain, kind string
			rules       []string
		}{{"prerouting", prerouting, pre}, {"output", output, out}} {
			fmt.Fprintf(&b, " chain istio-%s {\n  %s\n }\n", c.chain, strings.Join(c.rules, "\n  "))
			fmt.Fprintf(&b, " chain %s {\n  type %s hook %s priority %s; policy accept;\n  jump istio-%s\n }\n", c.chain, c.kind, c.chain, priority, c.chain)
		}
		b.WriteString("}\n")
	}
	const captured = "meta mark and 0xfff != 0x539"
	var pre []string
	for _, link := range r.Reroute {
		pre = append(pre, "iifname "+link+" meta l4proto tcp redirect to :15001", "iifname "+link+" meta l4proto tcp return")
	}
	if !r.Ingress {
		pre = append(pre, "meta l4proto tcp ip saddr "+probeIPv4+" accept", "meta l4proto tcp ip6 saddr "+probeIPv6+" accept",
			"ip daddr != 127.0.0.1 tcp dport != 15008 "+captured+" redirect to :15006",
			"ip6 daddr != ::1 tcp dport != 15008 "+captured+" redirect to :15006")
	}
	out := []string{"meta l4proto tcp ip daddr " + probeIPv4 + " accept", "meta l4proto tcp ip6 daddr " + probeIPv6 + " accept"}
	if r.DNS {
		out = append(out, `oifname != "lo" `+captured+" udp dport 53 redirect to :15053",
			"ip daddr != 127.0.0.1 tcp dport 53 "+captured+" redirect to :15053",
			"ip6 daddr != ::1 tcp dport 53 "+captured+" redirect to :15053")
	}
	out = append(out, "meta l4proto tcp meta mark and 0xfff == 0x111 accept",
		`oifname "lo" ip daddr != 127.0.0.1 accept`, `oifname "lo" ip6 daddr != ::1 accept`,
		"meta l4proto tcp ip daddr != 127.0.0.1 "+captured+" redirect to :15001",
		"meta l4proto tcp ip6 daddr != ::1 "+captured+" redirect to :15001")
	table("nat", "-100", "nat", pre, out)
	table("mangle", "-150", "route",
		[]string{"meta mark and 0xfff == 0x539 ct mark set ct mark and 0xfffff000 or 0x111"},
		[]string{"ct mark and 0xfff == 0x111 meta mark set ct mark"})
	if r.DNS {
		table("raw", "-300", "filter", []string{"udp sport 53 " + captured + " ct zone set 1"},
			[]string{"udp dport 53 meta mark and 0xfff == 0x539 ct zone set 1"})
	}
	return b.String()
}
