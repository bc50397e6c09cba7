package proxy

import (
	"context"
	"fmt"
	"io"

	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/flow"
	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/pool"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/bootstrap/localconfig"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/resolver"
	"github.com/troupe-mesh/troupe/transport/socket"
)

func newLogs(c *config.Config, out io.Writer) (*logs.Logs, error) {
	filter, err := logs.DefaultFilter(c.LogFilter)
	if err != nil {
		return nil, err
	}
	format := logs.Plain
	if c.LogJSON {
		format = logs.JSON
	}
	return logs.New(out, format, filter), nil
}

func newTelemetry(c *config.Config, o Options, l *logs.Logs) (*trace.Telemetry, error) {
	base := trace.ProviderOptions{Direct: o.Exporters, Ratio: o.Ratio, Resource: map[string]string{}}
	if c.LocalNode != nil {
		base.Resource["k8s.node.name"] = *c.LocalNode
	}
	if c.PodName != "" {
		base.Resource["k8s.pod.name"] = c.PodName
	}
	if c.ProxyWorkload != nil {
		base.Resource["service.instance.id"] = c.ProxyWorkload.Namespace + "/" + c.ProxyWorkload.Name
	}
	provider, err := trace.ProviderFromEnv(o.Environ, base)
	if err != nil {
		return nil, err
	}
	return trace.New(trace.Options{Provider: provider, Logs: l, Tag: c.IstioVersion, PolicyInfo: c.AuthzInfoLogging})
}

// localState reads the static state.
func localState(c *config.Config) (discovery.State, error) {
	var file *localconfig.File
	var err error
	switch {
	case c.LocalXDSPath != "":
		file, err = localconfig.Read(c.LocalXDSPath)
	case c.LocalXDS != "":
		if file, err = localconfig.Parse([]byte(c.LocalXDS)); err != nil {
			err = fmt.Errorf("local state in LOCAL_XDS is wrong:\n%w", err)
		}
	default:
		file = &localconfig.File{}
	}
	if err != nil {
		return discovery.State{}, err
	}
	return discovery.State{Workloads: file.Workloads, Services: file.Services, Policies: file.Policies}, nil
}

// newRevocations reads CRL_PATH for the first time; nil is no revocation lists. A file that can't be used at the start
// turns them off for good, as in the reference (spec/control.md §5.10): that is said loudly.
func (p *Proxy) newRevocations() *identity.RevocationsConfig {
	if p.config.CRLPath == "" {
		return nil
	}
	log := p.logs.Scope("ztunnel::tls::crl")
	lists, err := mtls.NewRevocations(p.config.CRLPath)
	if err != nil {
		log.Error("failed to initialize the revocation lists: revoked certificates are ACCEPTED until the file of CRL_PATH is repaired and "+
			"the proxy started again").Str(messages.FieldPath, p.config.CRLPath).Err(err).Send()
		return nil
	}
	return &identity.RevocationsConfig{Lists: lists, Counters: p.crl, Log: log}
}

// tlsOptions are the protocol's variants.
func (p *Proxy) tlsOptions() mtls.Options {
	o := mtls.Options{TLS12: p.config.TLS12Enabled, PQC: p.config.CompliancePQC}
	if p.revocations != nil {
		o.Revocations = p.revocations.Lists
	}
	return o
}

// kernelConfig is what the sockets of all kernel networks have in common.
func (p *Proxy) kernelConfig() socket.Config {
	c, log := p.config, p.logs.Scope("ztunnel::proxy")
	return socket.Config{
		Mark: c.Mark(), UserTimeout: c.Keepalive.UserTimeout, Local: c.BindIP,
		Keepalive: socket.Keepalive{
			Enabled: c.Keepalive.Enabled, Time: c.Keepalive.Time, Interval: c.Keepalive.Interval, Retries: int(c.Keepalive.Retries),
		},
		Warn: func(err error) { log.Warn(err.Error()).Send() },
	}
}

// listen binds a pod's listeners in the reference's order; when one fails, none stays. Without ENABLE_PROXY there are none: the
// pod has its DNS proxy only.
func listen(ctx context.Context, c *config.Config, network socket.Network, o socket.ListenOptions) ([]pod.Bound, error) {
	if !c.Proxy {
		return nil, nil
	}
	return listenAt(ctx, c, network, o,
		messages.EntranceHBONE, messages.EntrancePlaintext, messages.EntranceOutbound, messages.EntranceSOCKS5)
}

// listenAt binds some of them.
func listenAt(ctx context.Context, c *config.Config, network socket.Network, o socket.ListenOptions, entrances ...messages.Entrance) ([]pod.Bound, error) {
	var bound []pod.Bound
	for _, e := range entrances {
		address := c.Inbound
		switch e {
		case messages.EntrancePlaintext:
			address = c.InboundPlaintext
		case messages.EntranceOutbound:
			address = c.Outbound
		case messages.EntranceSOCKS5:
			if address = c.SOCKS5; !address.IsValid() {
				continue
			}
		case messages.EntranceHBONE, messages.EntranceLocal:
		}
		o.Keepalive = e == messages.EntranceOutbound || e == messages.EntrancePlaintext
		l, err := network.Listen(ctx, address, o)
		if err != nil {
			closeAll(bound)
			return nil, fmt.Errorf("the %s listener (is another proxy running?): %w", e, err)
		}
		bound = append(bound, pod.Bound{Entrance: e, Listener: l})
	}
	return bound, nil
}

func closeAll(bound []pod.Bound) {
	for _, b := range bound {
		_ = b.Listener.Close()
	}
}

func (p *Proxy) storeConfig() state.Config {
	c := state.Config{Counters: p.stores, Resolver: resolver.New(resolver.Config{
		Servers: p.config.Resolver.NameServers, Search: p.config.Resolver.Search, Domain: p.config.Resolver.Domain,
		Ndots: int(p.config.Resolver.Ndots), Attempts: int(p.config.Resolver.Attempts), IPv6: p.config.IPv6Enabled,
	})}
	if p.config.LocalNode != nil {
		c.Node = *p.config.LocalNode
	}
	return c
}

// podConfig is the proxy of one pod.
func (p *Proxy) podConfig(network socket.Network, listeners []pod.Bound, info messages.WorkloadInfo) pod.Config {
	c := p.config
	settings := flow.DefaultSettings()
	settings.Info, settings.Network = info, c.Network
	if c.LocalNode != nil {
		settings.LocalNode = *c.LocalNode
	}
	settings.InboundPort, settings.IllegalPorts = c.Inbound.Port(), c.IllegalPorts
	settings.ResponseBaggage, settings.LocalhostAppTunnel = c.ResponseBaggage, c.LocalhostAppTunnel
	settings.OnDemand, settings.LocalFastpath = c.XDSOnDemand, c.LocalFastpath && c.Proxy
	settings.EnforceWaypoint, settings.DenyUnknownPolicies = c.EnforceWaypoint, c.UnknownPolicyDenies

	client, server := hbone.ClientDefaults(), hbone.ServerDefaults()
	for _, s := range []*hbone.Settings{&client, &server} {
		s.StreamWindow, s.ConnWindow, s.MaxFrameSize = c.WindowSize, c.ConnectionWindowSize, c.FrameSize
		s.Stats = p.hbone
	}
	client.MaxConcurrentStreams = uint32(c.PoolMaxStreams)
	pools := pool.DefaultSettings()
	pools.MaxStreams, pools.Unused = int(c.PoolMaxStreams), c.PoolUnusedRelease
	return pod.Config{
		Flow: flow.Deps{
			Telemetry: p.telemetry, Network: network, Settings: settings,
			TLS: p.tlsOptions(), HBONE: client,
		},
		ServerH2: server, Pool: pools, Listeners: listeners, Log: podLog{logs: p.logs, workload: info},
	}
}
