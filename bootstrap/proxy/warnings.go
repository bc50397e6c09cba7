package proxy

import (
	"context"
	"fmt"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// warnWithin is how long the readiness page waits for what may be warned of. A kubelet's probe gives up after a second.
const warnWithin = 200 * time.Millisecond

// warnings are what the readiness page says of a node that is ready and will not stay so: certificates that are not
// renewed.
func (p *Proxy) warnings(ctx context.Context) []string {
	m, err := kit.AskFor[*messages.CertificatesMeasured](ctx, p.system, p.node.Stores().Certificates, &messages.MeasureCertificates{}, warnWithin)
	if err != nil {
		return nil
	}
	return warningsOf(m)
}

// warningsOf puts into words what is wrong with certificates.
func warningsOf(m *messages.CertificatesMeasured) []string {
	var all []string
	if m.Overdue > 0 && len(m.Expiries) > 0 { // Expiries begin with the soonest
		first := m.Expiries[0]
		all = append(all, fmt.Sprintf("%d certificates near their end and are not renewed, the first is that of %s and expires in %s: is the CA well?",
			m.Overdue, first.Identity, max(first.In, 0).Round(time.Second)))
	}
	if m.Unavailable > 0 {
		all = append(all, fmt.Sprintf("%d identities have no valid certificate, their connections fail: config_dump says why", m.Unavailable))
	}
	return all
}
