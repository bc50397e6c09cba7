package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/troupe-mesh/troupe/actors/admin"
	"github.com/troupe-mesh/troupe/actors/cni"
	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/node"
	"github.com/troupe-mesh/troupe/actors/pods"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/bootstrap/version"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// Options are what a proxy gets besides its configuration.
type Options struct {
	// Out takes the log.
	Out io.Writer
	// Environ has the OTEL_* variables.
	Environ []string
	// Exporters get every span besides those that the environment names, and make tracing be on; Ratio, where positive,
	// is the share of connections sampled then.
	Exporters []trace.Exporter
	Ratio     float64
	// Network is where connections come from and go to; nil is the kernel's.
	Network socket.Network
	// Faults breaks the proxy's actors on purpose (actors/fault); nil leaves them alone.
	Faults kit.FaultHook
	// OwnProcess says that the process is this proxy's alone: its limits of descriptors, threads and memory are set.
	OwnProcess bool
}

// Proxy is a running proxy.
type Proxy struct {
	config    *config.Config
	logs      *logs.Logs
	log       *logs.Logger
	telemetry *trace.Telemetry
	system    *kit.System
	node      *node.Node
	stores    *state.Counters
	discovery *discovery.Counters
	hbone     *hbone.Stats
	names     *namesCounters
	crl       *identity.RevocationCounters
	// revocations are the revocation lists; nil where there are none.
	revocations *identity.RevocationsConfig
	began       time.Time
	shutdown    chan string
	endSigner   func()
	// pods and cni are counted in shared mode.
	pods    *pods.Counters
	cni     *cni.Counters
	failure atomic.Pointer[failed]
	// succession is nil without a HANDOVER_SOCKET.
	succession *succession
}

// flushDeadline bounds what is waited for after the drain: spans and log lines on their way.
const flushDeadline = 5 * time.Second

// failurePatience is how long live connections may finish when the proxy ends itself.
const failurePatience = 5 * time.Second

// Start starts a proxy. Nothing is left behind when it fails.
func Start(ctx context.Context, c *config.Config, o Options) (_ *Proxy, err error) {
	if err := Supported(c); err != nil {
		return nil, err
	}
	p := &Proxy{
		config: c, began: time.Now(), shutdown: make(chan string, 1), stores: &state.Counters{}, discovery: &discovery.Counters{},
		hbone: &hbone.Stats{}, crl: &identity.RevocationCounters{}, pods: &pods.Counters{}, cni: &cni.Counters{},
		names: newNamesCounters(),
	}
	var undo cleanup
	defer func() {
		if err != nil {
			undo.run()
		}
	}()
	if p.logs, err = newLogs(c, o.Out); err != nil {
		return nil, err
	}
	undo.add(func() { p.closeLogs() })
	p.log = p.logs.Scope("ztunnel::app")
	if err := p.tellStart(o); err != nil {
		return nil, err
	}

	if p.telemetry, err = newTelemetry(c, o, p.logs); err != nil {
		return nil, err
	}
	undo.add(func() { p.closeTelemetry() })
	p.system = kit.NewSystem(kit.Config{Log: p.telemetry.ActorEvent, Faults: o.Faults, Roots: node.Roots()})
	undo.add(func() { p.closeSystem() })

	local, err := localState(c)
	if err != nil {
		return nil, err
	}
	control, err := p.controlPlane()
	if err != nil {
		return nil, err
	}
	signer, endSigner, err := p.newSigner()
	if err != nil {
		return nil, err
	}
	p.endSigner = endSigner
	undo.add(endSigner)
	p.revocations = p.newRevocations()
	network := o.Network
	if network == nil {
		network = socket.New(p.kernelConfig())
	}
	if p.succession, err = p.newSuccession(); err != nil {
		return nil, err
	}
	if p.succession != nil {
		undo.add(p.succession.close)
	}
	network = p.succession.own(network)
	pages, err := p.bindPages(ctx, network)
	if err != nil {
		return nil, err
	}
	undo.add(pages.close)
	parts := node.Config{
		System: p.system, State: p.storeConfig(), Local: local, Control: control, Identity: p.identityConfig(signer),
		Prefetch:    c.ProxyMode == config.Shared,
		Revocations: p.revocations,
		Admin:       admin.Deps{Log: p.logs, Start: p.began, Tasks: p.tasks(), Warnings: p.warnings},
		ReadyTasks:  p.tasks(),
	}
	if isShared(c) {
		shared, undoShared, err := p.shared(ctx)
		if err != nil {
			return nil, err
		}
		undo.add(undoShared)
		parts.Shared, parts.ReadyTasks = shared, []string{taskState}
		parts.Admin.Tasks = append(parts.Admin.Tasks, cni.Task)
	} else {
		names, err := p.listenDNS(ctx, network, socket.ListenOptions{}, &c.Resolver)
		if err != nil {
			return nil, err
		}
		undo.add(names.close)
		listeners, err := listen(ctx, c, network, socket.ListenOptions{Transparent: c.Transparent()})
		if err != nil {
			return nil, err
		}
		undo.add(func() { closeAll(listeners) })
		parts.Pod = p.podConfig(network, listeners, *c.ProxyWorkload)
		parts.Pod.DNS = names.config
		parts.PodUID = c.ProxyWorkload.Namespace + "." + c.ProxyWorkload.Name
	}
	if p.node, err = node.Start(parts); err != nil {
		return nil, err
	}
	if isShared(c) {
		p.watchPods()
		for _, task := range []string{taskProxy, taskDNS} { // pods bring their own; one that is not awaited is none
			p.node.Complete(task)
		}
	}
	p.watch(pages)
	p.servePages(pages)
	if p.succession != nil {
		p.succession.begin()
	}
	return p, nil
}

// RequestShutdown asks for a graceful end and says why; a second request changes nothing.
func (p *Proxy) RequestShutdown(why string) {
	select {
	case p.shutdown <- why:
	default:
	}
}

// Shutdown drains the proxy and ends everything that it started.
func (p *Proxy) Shutdown(ctx context.Context) error {
	pages := p.drainPages(ctx)
	deadline := p.config.DrainDeadline
	if p.Failure() != nil {
		deadline = min(deadline, failurePatience)
	}
	drained, err := p.node.Drain(ctx, messages.DrainGraceful, deadline)
	if err == nil {
		p.log.Info(fmt.Sprintf("drained: %d connections ended in time, %d were cut", drained.Ended, drained.Cut)).Send()
	}
	if p.succession != nil {
		p.succession.drained(drained)
		p.succession.close()
	}
	<-pages
	p.closeSystem()
	p.endSigner()
	p.closeTelemetry()
	p.closeLogs()
	return errors.Join(p.Failure(), err)
}

// cleanup undoes what was started, last first.
type cleanup []func()

func (c *cleanup) add(undo func()) { *c = append(*c, undo) }

func (c *cleanup) run() {
	for i := len(*c) - 1; i >= 0; i-- {
		(*c)[i]()
	}
}

func bounded(close func(ctx context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), flushDeadline)
	defer cancel()
	_ = close(ctx) // the deadline is the only way to fail, and there is nobody left to tell
}

func (p *Proxy) closeLogs()      { bounded(p.logs.Close) }
func (p *Proxy) closeTelemetry() { bounded(p.telemetry.Shutdown) }
func (p *Proxy) closeSystem()    { bounded(p.system.Shutdown) }

// tellStart writes the first lines of the log (spec/ops.md §2.2).
func (p *Proxy) tellStart(o Options) error {
	p.log.Info("version: " + version.Build(p.config.IstioVersion).String()).Send()
	for _, w := range p.config.Warnings {
		p.log.Warn(w).Send()
	}
	if o.OwnProcess {
		p.ownProcess(o.Environ)
	}
	yaml, err := p.config.YAML()
	if err != nil {
		return err
	}
	p.log.Info("running with config: " + strings.TrimRight(yaml, "\n")).Send()
	return nil
}
