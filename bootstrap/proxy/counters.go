package proxy

import (
	"context"
	"time"

	"github.com/troupe-mesh/troupe/actors/admin"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
)

// watch shows what the parts of the proxy count of themselves.
func (p *Proxy) watch(b *pages) {
	p.telemetry.WatchActors(p.system.Stats)
	p.telemetry.WatchTunnels(p.hbone)
	p.watchControlPlane()
	p.watchNames()
	if p.succession != nil {
		p.telemetry.Watch(trace.Watched{
			Name: "troupe_handover_connections", Help: "The total number of connections at hand-overs between processes",
			Counter: true, Label: "outcome", Read: p.succession.counts,
		})
	}
	p.telemetry.Watch(
		trace.Watched{
			Name: "troupe_store_limits", Help: "The total number of times that a limit of a store was reached",
			Counter: true, Label: "limit", Read: p.storeLimits,
		},
		trace.Watched{
			Name: "troupe_certificate_fetches", Help: "The total number of certificates fetched and refused",
			Counter: true, Label: "result", Read: p.certificateFetches,
		},
		trace.Watched{
			Name: "troupe_certificates", Help: "The current number of certificates and of those who wait for them",
			Label: "state", Read: p.certificates,
		},
		trace.Watched{
			Name: "troupe_certificate_expiry_seconds", Help: "The time until the first of the certificates held expires, 0 when one has",
			Read: func(tell func(string, uint64)) {
				if m := p.measureCertificates(); m != nil && len(m.Expiries) > 0 {
					tell("", uint64(max(m.Expiries[0].In, 0)/time.Second))
				}
			},
		},
		trace.Watched{
			Name: "troupe_identity_certificate_expiry_seconds", Label: "identity",
			Help: "The time until the certificate of an identity expires, 0 when it has; of very many those that expire first",
			Read: func(tell func(string, uint64)) {
				if m := p.measureCertificates(); m != nil {
					for _, e := range m.Expiries {
						tell(e.Identity.String(), uint64(max(e.In, 0)/time.Second))
					}
				}
			},
		},
		trace.Watched{
			Name: "troupe_revocation_lists", Help: "The total number of times that changed revocation lists were loaded, or could not be",
			Counter: true, Label: "result", Read: func(tell func(string, uint64)) {
				tell("loaded", p.crl.Loaded.Load())
				tell("failed", p.crl.Failed.Load())
			},
		},
		trace.Watched{
			Name: "troupe_revoked_certificates", Help: "The current number of entries of the revocation lists in force",
			Read: func(tell func(string, uint64)) {
				if p.revocations != nil && p.revocations.Lists.Current() != nil {
					tell("", uint64(p.revocations.Lists.Current().Revoked()))
				}
			},
		},
		trace.Watched{
			Name: "troupe_relay_pipes_refused", Help: "The total number of relays without splice for lack of a pipe",
			Counter: true, Read: func(tell func(string, uint64)) { tell("", relay.PipesRefused()) },
		},
		trace.Watched{
			Name: "troupe_log_lines_failed", Help: "The total number of log lines that could not be written",
			Counter: true, Read: func(tell func(string, uint64)) { tell("", p.logs.Failed()) },
		},
		trace.Watched{
			Name: "troupe_endpoint_connections_refused", Help: "The total number of connections refused by a crowded HTTP endpoint",
			Counter: true, Label: "endpoint", Read: func(tell func(string, uint64)) {
				for _, e := range []struct {
					name     string
					endpoint *admin.Endpoint
				}{{pageReadiness, b.readiness}, {pageAdmin, b.admin}, {pageStats, b.stats}} {
					tell(e.name, uint64(e.endpoint.Refused()))
				}
			},
		},
	)
}

func (p *Proxy) storeLimits(tell func(string, uint64)) {
	tell("question_refused", p.stores.Refused.Load())
	tell("workload_not_waited_for", p.stores.NotWaited.Load())
	tell("policy_watcher_refused", p.stores.WatchersRefused.Load())
	tell("name_evicted", p.stores.NamesEvicted.Load())
	tell("name_refused", p.stores.NamesRefused.Load())
}

// measureCertificates asks the certificates actor; nil means that it has no time for this, or is gone.
func (p *Proxy) measureCertificates() *messages.CertificatesMeasured {
	measured, err := kit.AskFor[*messages.CertificatesMeasured](context.Background(), p.system, p.node.Stores().Certificates,
		&messages.MeasureCertificates{}, askDeadline)
	if err != nil {
		return nil
	}
	return measured
}

func (p *Proxy) certificateFetches(tell func(string, uint64)) {
	m := p.measureCertificates()
	if m == nil {
		return
	}
	tell("issued", m.Issued)
	tell("failed", m.Failed)
	tell("retained", m.Retained)
	tell("coalesced", m.Coalesced)
	tell("forgotten", m.Forgotten)
	tell("identity_refused", m.RefusedIdentities)
	tell("waiter_refused", m.RefusedWaiters)
}

func (p *Proxy) certificates(tell func(string, uint64)) {
	m := p.measureCertificates()
	if m == nil {
		return
	}
	tell("held", uint64(max(m.Held, 0)))
	tell("queued", uint64(max(m.Queued, 0)))
	tell("running", uint64(max(m.Running, 0)))
	tell("waiting", uint64(max(m.Waiting, 0)))
	tell("overdue", uint64(max(m.Overdue, 0)))
	tell("unavailable", uint64(max(m.Unavailable, 0)))
}
