package proxy

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/troupe-mesh/troupe/actors/cni"
	"github.com/troupe-mesh/troupe/actors/node"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/pods"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
	"github.com/troupe-mesh/troupe/transport/zds"
)

// shared makes what serves the pods of a node (spec/ops.md §2.2, step 15). It owns the self listener until the node has it.
func (p *Proxy) shared(ctx context.Context) (_ *node.Shared, undo func(), err error) {
	c := p.config
	self, undo, err := p.selfProxy(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := socket.CheckPrivileges(c.Mark()); err != nil {
		undo()
		return nil, nil, fmt.Errorf("in-pod mode can't enter network namespaces or mark sockets; give the proxy CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW: %w", err)
	}
	p.log.Info("shared proxy mode - in-pod mode enabled").Send()
	return &node.Shared{
		Self: self,
		Pods: pods.Config{Open: p.openPod, Log: p.logs, Added: func(a trace.PodAdded) { p.telemetry.PodAdded(a) }, Counters: p.pods},
		CNI: cni.Config{
			Dial: func(ctx context.Context) (cni.Agent, error) {
				agent, err := zds.Dial(ctx, c.InpodUDS)
				if err != nil {
					return nil, err
				}
				p.succession.askForPods()
				return agent, nil
			},
			Inherited: p.succession.inheritedPod,
			At:        c.InpodUDS, Log: p.logs, Broken: p.fail, Chance: rand.Float64, Counters: p.cni,
		},
	}, undo, nil
}

// openPod opens the listeners of a pod, and its DNS proxy's sockets, in its namespace. They carry the mark, as everything does that is sent from there.
func (p *Proxy) openPod(ctx context.Context, uid string, ns messages.PodNamespace, info messages.WorkloadInfo) (*pods.Opened, error) {
	namespace, ok := ns.(*socket.Namespace)
	if !ok {
		return nil, fmt.Errorf("a %T is no network namespace of this machine", ns)
	}
	kernel := p.kernelConfig()
	kernel.MarkListeners = true
	network, done := socket.In(namespace, kernel)
	network = p.succession.of(uid, info, namespace.ID(), network)
	listeners, err := listen(ctx, p.config, network, socket.ListenOptions{
		Transparent: p.config.Transparent(), ReusePort: p.config.InpodPortReuse,
	})
	if err != nil {
		done()
		return nil, err
	}
	names, err := p.listenPodDNS(ctx, network, socket.ListenOptions{ReusePort: p.config.InpodPortReuse})
	if err != nil {
		closeAll(listeners)
		done()
		return nil, err
	}
	served := p.podConfig(network, listeners, info)
	if served.DNS = names.config; served.DNS != nil {
		served.DNS.Search = nil // they are the process's own: the pod's resolver applies the pod's
	}
	return &pods.Opened{Pod: served, Close: done}, nil
}

// selfProxy is the proxy of the process itself, with which its metrics can be fetched over HBONE (spec/ops.md §2.6): an
// inbound listener in its own namespace, without a mark, whose clients' addresses are never borrowed. Unlike the reference's,
// it closes connections that a later policy denies.
func (p *Proxy) selfProxy(ctx context.Context) (_ *pod.Config, undo func(), err error) {
	if p.config.OwnWorkload == nil {
		return nil, func() {}, nil
	}
	kernel := p.kernelConfig()
	kernel.Mark = 0
	network := p.succession.own(socket.New(kernel))
	listeners, err := listenAt(ctx, p.config, network, socket.ListenOptions{Transparent: socket.TransparentOff}, messages.EntranceHBONE)
	if err != nil {
		return nil, nil, err
	}
	self := p.podConfig(network, listeners, *p.config.OwnWorkload)
	return &self, func() { closeAll(listeners) }, nil
}

// fail ends the proxy with an error: code 1. It drains before, but not for long, since nobody serves its pods meanwhile.
func (p *Proxy) fail(err error) {
	p.failure.CompareAndSwap(nil, &failed{err})
	p.RequestShutdown("ending because of an error")
}

type failed struct{ err error }

// Failure is why the proxy ended itself; nil when it was asked to.
func (p *Proxy) Failure() error {
	if f := p.failure.Load(); f != nil {
		return f.err
	}
	return nil
}

// isShared says which mode it is.
func isShared(c *config.Config) bool { return c.ProxyMode == config.Shared }

// watchPods shows what the pods and the agent's connection count, under the reference's names (spec/ops.md §6.5).
func (p *Proxy) watchPods() {
	gauge := func(name, help string, read func() int64) trace.Watched {
		return trace.Watched{Name: name, Help: help, Read: func(tell func(string, uint64)) { tell("", uint64(max(read(), 0))) }}
	}
	counter := func(name, help string, read func() uint64) trace.Watched {
		return trace.Watched{Name: name, Help: help, Counter: true, Read: func(tell func(string, uint64)) { tell("", read()) }}
	}
	p.telemetry.Watch(
		gauge("workload_manager_active_proxy_count", "The total number current workloads with active proxies", p.pods.Up.Load),
		gauge("workload_manager_pending_proxy_count", "The total number current workloads with pending proxies", p.cni.Failed.Load),
		counter("workload_manager_proxies_started", "The total number of proxies that were started", p.pods.Started.Load),
		counter("workload_manager_proxies_stopped", "The total number of proxies that were stopped", p.pods.Stopped.Load),
		counter("troupe_cni_connections", "The total number of connections to the CNI agent", p.cni.Connections.Load),
		counter("troupe_cni_requests_refused", "The total number of requests of the CNI agent that were answered with an error", p.cni.Refused.Load),
	)
}
