package lab

import "net/netip"

// The address plan. Node ids and pod ids start at 2.

func rootIPv4() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{172, 172, 0, 1}), 16) }

func rootIPv6() netip.Prefix { return netip.PrefixFrom(nodeIPv6(1), 64) }

func nodeIPv4(node byte) netip.Addr { return netip.AddrFrom4([4]byte{172, 172, 0, node}) }

func nodeIPv6(node byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfd, 2: 0x01, 3: 0x72, 15: node})
}

// podsIPv4 is the network of a node's pods.
func podsIPv4(node byte) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, node, 0}), 24)
}

func podsIPv6(node byte) netip.Prefix { return netip.PrefixFrom(podIPv6(node, 0), 64) }

func podIPv6(node, pod byte) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfd, 3: 0x10, 7: node, 15: pod})
}

// gateways are the addresses that a node has on the side of its pods.
func gateways(node byte) (v4, v6 netip.Addr) {
	return netip.AddrFrom4([4]byte{10, 0, node, 1}), podIPv6(node, 1)
}
