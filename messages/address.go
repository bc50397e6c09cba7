package messages

import (
	"fmt"
	"net/netip"
	"strings"
)

// NetworkAddress is an IP address on a named network; the empty name is a network too. It is comparable.
type NetworkAddress struct {
	Network string
	Addr    netip.Addr
}

// String is "network/ip" (spec/control.md §3).
func (a NetworkAddress) String() string { return a.Network + "/" + a.Addr.String() }

// ParseNetworkAddress reads "network/ip"; the network may be empty.
func ParseNetworkAddress(s string) (NetworkAddress, error) {
	network, ip, ok := strings.Cut(s, "/")
	if !ok {
		return NetworkAddress{}, fmt.Errorf("network address %q: want network/ip", s)
	}
	addr, err := netip.ParseAddr(ip)
	if err != nil || addr.Zone() != "" {
		return NetworkAddress{}, fmt.Errorf("network address %q: %q is not an IP address", s, ip)
	}
	return NetworkAddress{Network: network, Addr: addr}, nil
}

// NetworkPrefix is a range of addresses on a named network.
type NetworkPrefix struct {
	Network string
	Prefix  netip.Prefix
}

// Contains reports whether a lies in p: same network, same family, inside the range.
func (p NetworkPrefix) Contains(a NetworkAddress) bool {
	return p.Network == a.Network && p.Prefix.Contains(a.Addr)
}

// NamespacedHostname names a service, or a workload that is known by host name.
type NamespacedHostname struct {
	Namespace, Hostname string
}

// String is "namespace/hostname".
func (n NamespacedHostname) String() string { return n.Namespace + "/" + n.Hostname }

// ParseNamespacedHostname reads "namespace/hostname", split at the first slash.
func ParseNamespacedHostname(s string) (NamespacedHostname, error) {
	ns, host, ok := strings.Cut(s, "/")
	if !ok {
		return NamespacedHostname{}, fmt.Errorf("%q: want namespace/hostname", s)
	}
	return NamespacedHostname{Namespace: ns, Hostname: host}, nil
}

// Destination names a gateway or waypoint: by address, or by host name when Address is not valid.
type Destination struct {
	Address  NetworkAddress
	Hostname NamespacedHostname
}

// IsHostname reports whether d is the host name form.
func (d Destination) IsHostname() bool { return !d.Address.Addr.IsValid() }

// String is "network/ip" or "namespace/hostname".
func (d Destination) String() string {
	if d.IsHostname() {
		return d.Hostname.String()
	}
	return d.Address.String()
}

// ParseDestination reads "network/ip" or "namespace/hostname"; the address form is tried first.
func ParseDestination(s string) (Destination, error) {
	if a, err := ParseNetworkAddress(s); err == nil {
		return Destination{Address: a}, nil
	}
	h, err := ParseNamespacedHostname(s)
	if err != nil {
		return Destination{}, fmt.Errorf("destination %q: want network/ip or namespace/hostname", s)
	}
	return Destination{Hostname: h}, nil
}

// GatewayAddress is where a waypoint or a network gateway is reached.
type GatewayAddress struct {
	Destination   Destination
	HBONEMTLSPort uint16
}

// HostPort is a CONNECT authority: a socket address, or a host name and port when Addr is not valid.
type HostPort struct {
	Addr netip.Addr
	Host string
	Port uint16
}

// AddrHostPort is the authority of a socket address.
func AddrHostPort(a netip.AddrPort) HostPort { return HostPort{Addr: a.Addr(), Port: a.Port()} }

// IsZero reports whether h names nothing.
func (h HostPort) IsZero() bool { return h == HostPort{} }

// AddrPort is the socket address; only valid when h is not a host name.
func (h HostPort) AddrPort() netip.AddrPort { return netip.AddrPortFrom(h.Addr, h.Port) }

// String is "ip:port", "[ip]:port" or "host:port".
func (h HostPort) String() string {
	if h.Addr.IsValid() {
		return h.AddrPort().String()
	}
	return fmt.Sprintf("%s:%d", h.Host, h.Port)
}
