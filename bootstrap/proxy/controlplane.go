package proxy

import (
	"fmt"

	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/grpcdial"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/xds"
)

// controlPlane is where the state comes from besides the local source; nil when xDS is off.
func (p *Proxy) controlPlane() (*discovery.Control, error) {
	c := p.config
	if c.XDSAddress == "" {
		return nil, nil
	}
	node, err := xds.Node(xds.NodeConfig{
		PodName: c.PodName, PodNamespace: c.PodNamespace, InstanceIP: c.InstanceIP, NodeName: c.LocalNode,
		Metadata: c.ProxyMetadata, JSON: c.MetaJSON,
	})
	if err != nil {
		return nil, fmt.Errorf("say who we are to the control plane: %w", err)
	}
	return &discovery.Control{
		Opener:   xds.NewClient(dialed(c, c.XDSAddress, c.XDSRootCert, c.AltXDSHostname, c.XDSHeaders)),
		Node:     node,
		OnDemand: c.XDSOnDemand,
		Log:      p.logs.Scope("ztunnel::xds::client"),
		Counters: p.discovery,
		Applied:  func(a trace.Applied) { p.telemetry.StateApplied(a) },
	}, nil
}

// dialed is how a control-plane server is reached.
func dialed(c *config.Config, address string, roots config.RootCert, alternative *string, headers []config.Header) grpcdial.Config {
	d := grpcdial.Config{
		Address: address, Roots: roots.Dialed(), Token: c.Auth.Dialed(), ClusterID: c.ClusterID,
		TLS: mtls.Options{TLS12: c.TLS12Enabled, PQC: c.CompliancePQC},
	}
	if alternative != nil {
		d.AltHostname = *alternative
	}
	for _, h := range headers {
		d.Headers = append(d.Headers, grpcdial.Header{Key: h.Key, Value: h.Value})
	}
	return d
}

// watchControlPlane shows what the control plane did (spec/control.md §2.11), and what is held of it.
func (p *Proxy) watchControlPlane() {
	c := p.discovery
	byKind := func(values func(k xds.Kind) uint64, name func(k xds.Kind) string) func(tell func(string, uint64)) {
		return func(tell func(string, uint64)) {
			for k := range xds.Kind(xds.Kinds) {
				tell(name(k), values(k))
			}
		}
	}
	p.telemetry.Watch(
		trace.Watched{
			Name: "istio_xds_connection_terminations", Help: "The total number of completed connections to xds server",
			Counter: true, Label: "reason", Read: func(tell func(string, uint64)) {
				for e := range xds.Ending(xds.Endings) {
					tell(e.String(), c.Terminations[e].Load())
				}
			},
		},
		trace.Watched{
			Name: "istio_xds_message", Help: "Total number of messages received", Counter: true, Label: "url",
			Read: byKind(func(k xds.Kind) uint64 { return c.Messages[k].Load() }, xds.Kind.TypeURL),
		},
		trace.Watched{
			Name: "istio_xds_message_bytes", Help: "Total number of bytes received", Unit: "bytes", Counter: true, Label: "url",
			Read: byKind(func(k xds.Kind) uint64 { return c.Bytes[k].Load() }, xds.Kind.TypeURL),
		},
		trace.Watched{
			Name: "troupe_xds_resources_rejected", Help: "The total number of resources that were not understood", Counter: true, Label: "kind",
			Read: byKind(func(k xds.Kind) uint64 { return c.Rejected[k].Load() }, xds.Kind.String),
		},
		trace.Watched{
			Name: "troupe_xds_resources", Help: "The current number of resources held of the xds server", Label: "kind",
			Read: byKind(func(k xds.Kind) uint64 { return c.Held[k].Load() }, xds.Kind.String),
		},
		trace.Watched{
			Name: "troupe_xds_connected", Help: "Whether there is a stream on which the xds server has answered",
			Read: func(tell func(string, uint64)) { tell("", c.Connected.Load()) },
		},
		trace.Watched{
			Name: "troupe_xds_demands", Help: "The total number of look-ups on demand", Counter: true, Label: "outcome",
			Read: func(tell func(string, uint64)) {
				for o := range c.Demands {
					tell(messages.DemandOutcome(o).String(), c.Demands[o].Load())
				}
			},
		},
	)
}
