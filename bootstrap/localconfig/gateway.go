package localconfig

import (
	"github.com/troupe-mesh/troupe/messages"
)

// gateway reads {destination, hboneMtlsPort}.
func (r *reader) gateway(i item) *messages.GatewayAddress {
	o := r.object(i.node, i.path)
	g := &messages.GatewayAddress{HBONEMTLSPort: o.port("hboneMtlsPort", required)}
	if n := o.field("destination", required); n != nil {
		at := item{n, o.at("destination")}
		if text := r.text(at); text != "" {
			d, err := messages.ParseDestination(text)
			if err != nil {
				r.reject(n, at.path, "want network/ip or namespace/hostname")
			}
			g.Destination = d
		}
	}
	o.done()
	return g
}

// gatewayField is an optional gateway, nil when it is not there.
func (o *object) gatewayField(key string) *messages.GatewayAddress {
	n := o.nullable(key)
	if n == nil {
		return nil
	}
	return o.r.gateway(item{n, o.at(key)})
}

// ports reads a map from service port to target port.
func (r *reader) ports(entries []entry) messages.PortMap {
	m := make(messages.PortMap, len(entries))
	for _, e := range entries {
		m[uint16(r.number(e.key, e.value.path, 16))] = uint16(r.number(e.value.node, e.value.path, 16))
	}
	return m
}
