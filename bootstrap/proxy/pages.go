package proxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-mesh/troupe/actors/admin"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/bootstrap/version"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// The tasks that readiness waits for (spec/ops.md §2.2).
const (
	taskState = "state manager"
	taskProxy = "proxy"
	taskDNS   = "dns proxy"
)

// tasks are those of this proxy.
func (p *Proxy) tasks() []string {
	all := []string{taskState}
	if p.config.Proxy {
		all = append(all, taskProxy)
	}
	if p.config.DNSProxy {
		all = append(all, taskDNS)
	}
	return all
}

// The HTTP endpoints, as logs, metrics and errors name them.
const (
	pageReadiness = "readiness"
	pageAdmin     = "admin"
	pageStats     = "stats"
)

// readyPoll is how often AwaitReady looks, askDeadline how long an actor may take to answer it.
const (
	readyPoll   = 5 * time.Millisecond
	askDeadline = time.Second
)

// pages are the process's HTTP endpoints, bound and not yet served.
type pages struct {
	readiness, admin, stats *admin.Endpoint
}

func (p *pages) close() {
	for _, e := range []*admin.Endpoint{p.readiness, p.admin, p.stats} {
		if e != nil {
			e.Close()
		}
	}
}

// bindPages opens the endpoints' listeners in the reference's order.
func (p *Proxy) bindPages(ctx context.Context, network socket.Network) (_ *pages, err error) {
	c, bound := p.config, &pages{}
	defer func() {
		if err != nil {
			bound.close()
		}
	}()
	if bound.readiness, err = admin.Bind(ctx, network, pageReadiness, c.Readiness.AddrPorts()); err != nil {
		return nil, err
	}
	if bound.admin, err = admin.Bind(ctx, network, pageAdmin, c.Admin.AddrPorts()); err != nil {
		return nil, err
	}
	bound.stats, err = admin.Bind(ctx, network, pageStats, c.Stats.AddrPorts())
	return bound, err
}

// servePages hands the endpoints to the admin actor.
func (p *Proxy) servePages(b *pages) {
	controls := admin.Controls{Log: p.logs, Quit: func() { p.RequestShutdown("received explicit shutdown signal") }}
	p.node.Serve(&admin.Serve{Endpoint: b.readiness})
	p.node.Serve(&admin.Serve{Endpoint: b.admin, Handler: admin.Handler(controls, p.sources())})
	p.node.Serve(&admin.Serve{Endpoint: b.stats, Handler: admin.StatsHandler(p.telemetry.WriteMetrics)})
}

// sources are where the dump comes from.
func (p *Proxy) sources() admin.Sources {
	stores := p.node.Stores()
	s := admin.Stores{
		Workloads: stores.Workloads, Services: stores.Services, Policies: stores.Policies, Certificates: stores.Certificates,
	}.Ask(p.system)
	if isShared(p.config) {
		s.Sections = map[string]func(context.Context) (any, error){admin.SectionPods: admin.Pods(p.system, p.node.Pods())}
	}
	s.Config, s.Version = p.config, version.Build(p.config.IstioVersion)
	s.Static = func() (*admin.Static, error) {
		local, err := localState(p.config)
		if err != nil {
			return nil, err
		}
		return &admin.Static{Workloads: local.Workloads, Services: local.Services, Policies: local.Policies}, nil
	}
	return s
}

// drainPages closes the endpoints; the channel is closed when running requests have ended or were cut.
func (p *Proxy) drainPages(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		deadline := p.config.DrainDeadline
		_, err := kit.AskFor[*messages.Drained](ctx, p.system, p.node.Admin(), &messages.Drain{Deadline: deadline}, deadline+flushDeadline)
		if err != nil {
			p.log.Warn("the HTTP endpoints did not end in time").Err(err).Send()
		}
	}()
	return done
}

// AwaitReady waits until the proxy serves connections, or ctx ends.
func (p *Proxy) AwaitReady(ctx context.Context) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		found, err := kit.AskFor[*messages.PendingTasksFound](ctx, p.system, p.node.Admin(), &messages.FindPendingTasks{}, askDeadline)
		if err == nil && len(found.Tasks) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the proxy did not become ready: %w", context.Cause(ctx)), err)
		}
	}
}

// SettleTraces waits until the spans of everything that has ended so far are made and with Options.Exporters. Those that
// the environment names get them in their own time, at the latest when the proxy ends.
func (p *Proxy) SettleTraces(ctx context.Context) error { return p.telemetry.Settle(ctx) }
