package xds

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"unique"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/wire/workload"
)

var errNoDestination = errors.New("a gateway without a destination")

// same is s without memory of its own where others are equal: most text of a mesh is, a hundred thousand times over.
func same(s string) string {
	if s == "" {
		return ""
	}
	return unique.Make(s).Value()
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return same(s)
}

func address(b []byte) (netip.Addr, error) {
	addr, ok := netip.AddrFromSlice(b)
	if !ok {
		return netip.Addr{}, fmt.Errorf("an address of %d bytes: want 4 or 16", len(b))
	}
	return addr, nil
}

func port(n uint32) (uint16, error) {
	if n > 1<<16-1 {
		return 0, fmt.Errorf("port %d is out of range", n)
	}
	return uint16(n), nil
}

// portMap makes the map of ports, of which later ones win. Equal maps are one: they are frozen.
func (c *converter) portMap(ports []*workload.Port) (messages.PortMap, error) {
	c.scratch = c.scratch[:0]
	for _, p := range ports {
		if p.ServicePort > 1<<16-1 || p.TargetPort > 1<<16-1 {
			return nil, fmt.Errorf("port %d or its target %d is out of range", p.ServicePort, p.TargetPort)
		}
		c.scratch = binary.BigEndian.AppendUint16(c.scratch, uint16(p.ServicePort))
		c.scratch = binary.BigEndian.AppendUint16(c.scratch, uint16(p.TargetPort))
	}
	if known, ok := c.ports[string(c.scratch)]; ok {
		return known, nil
	}
	m := make(messages.PortMap, len(ports))
	for _, p := range ports {
		m[uint16(p.ServicePort)] = uint16(p.TargetPort)
	}
	c.ports[string(c.scratch)] = m
	return m, nil
}

// gateway is nil where there is none.
func gateway(g *workload.GatewayAddress) (*messages.GatewayAddress, error) {
	if g == nil {
		return nil, nil
	}
	at, err := port(g.HboneMtlsPort)
	if err != nil {
		return nil, err
	}
	made := &messages.GatewayAddress{HBONEMTLSPort: at}
	switch d := g.Destination.(type) {
	case *workload.GatewayAddress_Hostname:
		made.Destination.Hostname = messages.NamespacedHostname{
			Namespace: same(d.Hostname.GetNamespace()), Hostname: same(d.Hostname.GetHostname()),
		}
	case *workload.GatewayAddress_Address:
		addr, err := address(d.Address.GetAddress())
		if err != nil {
			return nil, err
		}
		made.Destination.Address = messages.NetworkAddress{Network: same(d.Address.GetNetwork()), Addr: addr}
	default:
		return nil, errNoDestination
	}
	return made, nil
}
