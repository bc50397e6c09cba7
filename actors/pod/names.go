package pod

import (
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/dns"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// dnsSpec is how the pod's DNS proxy is spawned, the same for all lives of the pod: it has its sockets. Ending is set when
// the pod ends for good.
func dnsSpec(c *Config, ending *atomic.Bool) *kit.Spec {
	if c.DNS == nil {
		return nil
	}
	d, f := *c.DNS, &c.Flow
	d.System, d.Telemetry, d.Workloads, d.Services = f.System, f.Telemetry, f.Stores.Workloads, f.Stores.Services
	d.Info, d.WorkloadWait, d.StageDeadline = f.Settings.Info, f.Settings.WorkloadWait, f.Settings.StageDeadline
	d.Ending = ending
	spec := dns.Spec(d)
	return &spec
}

// startDNS spawns the DNS proxy; the names that SOCKS5 clients give are its business then.
func (p *pod) startDNS(ctx actor.Context) {
	if p.dnsSpec == nil {
		return
	}
	pid, err := kit.SpawnNamed(ctx, p.deps.System.Props(*p.dnsSpec), dns.Role)
	if err != nil {
		panic(err) // the name is ours: nobody else can have it
	}
	p.dns, p.deps.Names = pid, pid
	if p.config.StartsOpen {
		p.orderOpen(ctx, pid)
	}
}

// drainDNS drains the DNS proxy; the pod is not drained before it.
func (p *pod) drainDNS(ctx actor.Context, m *messages.Drain) {
	if p.dns != nil {
		p.draining.dns = true
		ctx.Request(p.dns, m)
	}
}

// undelivered takes a DNS proxy that crashed over the drain for one that has no questions.
func (p *pod) undelivered(ctx actor.Context, m *kit.Undelivered) {
	if _, ok := m.Message.(*messages.Drain); ok {
		p.dnsDrained(ctx)
	}
}

// dnsDrained is told when every question is answered.
func (p *pod) dnsDrained(ctx actor.Context) {
	if p.draining != nil {
		p.draining.dns = false
		p.checkDrained(ctx)
	}
}
