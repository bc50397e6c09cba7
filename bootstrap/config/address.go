package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Address is where a listener binds: one socket address, or a port on the loopback addresses of both families.
type Address struct {
	// Localhost says that the loopback addresses are meant; IPv6 says whether ::1 is one of them.
	Localhost, IPv6 bool
	// Port is used with Localhost only.
	Port uint16
	// Socket is the address otherwise.
	Socket netip.AddrPort
}

// LocalhostAddress is a port on 127.0.0.1 and, with ipv6, on ::1.
func LocalhostAddress(ipv6 bool, port uint16) Address {
	return Address{Localhost: true, IPv6: ipv6, Port: port}
}

// SocketAddress is one socket address.
func SocketAddress(a netip.AddrPort) Address { return Address{Socket: a} }

// parseAddress reads localhost:PORT, ip:port or [ip]:port.
func parseAddress(ipv6 bool, s string) (Address, error) {
	if port, ok := strings.CutPrefix(s, "localhost:"); ok {
		n, err := parseUnsigned(port, 16)
		if err != nil {
			return Address{}, err
		}
		return LocalhostAddress(ipv6, uint16(n)), nil
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return Address{}, fmt.Errorf("invalid socket address syntax; write localhost:PORT, ip:port or [ipv6]:port")
	}
	return SocketAddress(a), nil
}

// AddrPorts lists the socket addresses to bind, IPv4 first.
func (a Address) AddrPorts() []netip.AddrPort {
	if !a.Localhost {
		return []netip.AddrPort{a.Socket}
	}
	all := []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port)}
	if a.IPv6 {
		all = append(all, netip.AddrPortFrom(netip.IPv6Loopback(), a.Port))
	}
	return all
}

// port is the port on any of the addresses.
func (a Address) port() uint16 {
	if a.Localhost {
		return a.Port
	}
	return a.Socket.Port()
}

// String is localhost:PORT or the socket address.
func (a Address) String() string {
	if a.Localhost {
		return "localhost:" + strconv.Itoa(int(a.Port))
	}
	return a.Socket.String()
}

// MarshalJSON is the dump's form: {"Localhost":[ipv6,port]} or {"SocketAddr":"ip:port"} (spec/ops.md §5.4.1).
func (a Address) MarshalJSON() ([]byte, error) {
	if a.Localhost {
		return json.Marshal(map[string]any{"Localhost": []any{a.IPv6, a.Port}})
	}
	return json.Marshal(map[string]string{"SocketAddr": a.Socket.String()})
}
