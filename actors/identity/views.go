package identity

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// maxExpiries bounds the certificates whose end is told one by one.
const maxExpiries = 256

// dump is every identity with its state, sorted (spec/control.md §7).
func (m *manager) dump() []messages.CertificateDump {
	all := make([]messages.CertificateDump, 0, len(m.entries))
	for _, e := range m.entries {
		d := messages.CertificateDump{Identity: e.id.String(), State: e.state()}
		if e.certificate != nil {
			d.Chain, d.Roots = e.certificate.Chain(), e.certificate.Roots()
		}
		all = append(all, d)
	}
	slices.SortFunc(all, func(a, b messages.CertificateDump) int { return strings.Compare(a.Identity, b.Identity) })
	return all
}

// measure is the counters and how things are at now.
func (m *manager) measure(now time.Time) messages.CertificatesMeasured {
	out := m.counts
	out.Held, out.Queued, out.Running, out.Waiting = len(m.entries), m.ready.Len(), len(m.running), m.waiting
	for _, e := range m.entries {
		if e.overdue(now) {
			out.Overdue++
		}
		if e.err != nil {
			out.Unavailable++
		}
		if e.certificate != nil {
			out.Expiries = append(out.Expiries, messages.CertificateExpiry{Identity: e.id, In: e.certificate.NotAfter.Sub(now)})
		}
	}
	slices.SortFunc(out.Expiries, func(a, b messages.CertificateExpiry) int {
		return cmp.Or(cmp.Compare(a.In, b.In), strings.Compare(a.Identity.String(), b.Identity.String()))
	})
	if len(out.Expiries) > maxExpiries {
		out.Expiries = slices.Clone(out.Expiries[:maxExpiries])
	}
	return out
}
