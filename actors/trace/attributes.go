package trace

import (
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
	"go.opentelemetry.io/otel/attribute"
)

// attributes collects attributes and leaves out empty ones.
type attributes []attribute.KeyValue

func (a *attributes) str(key, v string) {
	if v != "" {
		*a = append(*a, attribute.String(key, v))
	}
}

func (a *attributes) addr(addrKey, portKey string, v netip.AddrPort) {
	if v.IsValid() {
		*a = append(*a, attribute.String(addrKey, v.Addr().String()), attribute.Int(portKey, int(v.Port())))
	}
}

// recordAttributes are the attributes of a connection's first span (TRACING §3). The names of both ends are those of the
// access log.
func recordAttributes(r *messages.Record) []attribute.KeyValue {
	l := labelsOf(r)
	src, dst := endsOf(r, &l)
	a := make(attributes, 0, 32)
	a.str(messages.AttrDirection, r.Direction.String())
	a.str(messages.AttrMode, r.Mode.String())
	if r.Type != messages.RequestUnknown {
		a.str(messages.AttrRequestType, r.Type.String())
	}
	a.str(messages.AttrConnectionID, r.RootID.String())
	a.str(messages.AttrNetworkTransport, "tcp")
	if r.Src.IsValid() {
		a.str(messages.AttrNetworkType, networkType(r.Src.Addr()))
	}
	a.addr(messages.AttrSourceAddress, messages.AttrSourcePort, r.Src)
	target := r.OriginalDst
	if !target.IsValid() {
		target = r.Dst
	}
	a.addr(messages.AttrDestinationAddress, messages.AttrDestinationPort, target)
	if !r.HBONEAddr.IsZero() {
		a.str(messages.AttrAuthority, r.HBONEAddr.String())
	}
	a.str(messages.AttrSourceWorkload, src.workload)
	a.str(messages.AttrSourceNamespace, src.namespace)
	a.str(messages.AttrSourcePrincipal, src.identity)
	a.str(messages.AttrSourceCluster, src.cluster)
	a.str(messages.AttrDestWorkload, dst.workload)
	a.str(messages.AttrDestNamespace, dst.namespace)
	a.str(messages.AttrDestPrincipal, dst.identity)
	a.str(messages.AttrDestCluster, dst.cluster)
	a.str(messages.AttrDestService, l.service)
	if r.Direction == messages.Inbound && r.Source == nil && r.DerivedSource != nil {
		a = append(a, attribute.Bool(messages.AttrSourcePeerClaimed, true))
	}
	if r.DerivedDestination != nil {
		a = append(a, attribute.Bool(messages.AttrDestPeerClaimed, true))
	}
	if r.Mode == messages.ModeHBONE && r.Direction == messages.Outbound {
		a = append(a, attribute.Bool(messages.AttrPoolHit, r.PoolHit))
	}
	return a
}

// clientAttributes are those of our CONNECT, with the peer's service for dependency graphs.
func clientAttributes(f *frozen, mark messages.SpanMark) []attribute.KeyValue {
	l := labelsOf(&f.Record)
	a := make(attributes, 0, 12)
	a.str(messages.AttrHTTPMethod, "CONNECT")
	a.str(messages.AttrNetworkProtocol, "http")
	a.addr(messages.AttrServerAddress, messages.AttrServerPort, f.Dst)
	if !f.HBONEAddr.IsZero() {
		a.str(messages.AttrAuthority, f.HBONEAddr.String())
	}
	name, namespace := l.serviceName, l.serviceNamespace
	if name == "" {
		name, namespace = l.destination.service, l.destination.namespace
	}
	a.str(messages.AttrServicePeerName, name)
	a.str(messages.AttrServicePeerNamespace, namespace)
	if mark.Reason == messages.ReasonNone || mark.Reason == messages.ReasonPolicyDeniedByPeer {
		a = append(a, attribute.Int(messages.AttrHTTPStatus, mark.Reason.Status()))
	}
	return a
}

// verdictAttributes name the policy that denied.
func verdictAttributes(v *messages.Verdict) []attribute.KeyValue {
	if v == nil || v.Allowed || v.Policy == nil {
		return nil
	}
	a := make(attributes, 0, 4)
	a.str(messages.AttrRuleName, v.Policy.String())
	a.str(messages.AttrRuleCategory, category(v.Policy))
	a.str(messages.AttrVerdict, "denied")
	if v.Rule >= 0 {
		a = append(a, attribute.Int(messages.AttrRuleIndex, v.Rule))
	}
	return a
}

// closingVerdict says what closed a live connection: the policy, or why none was left that allows it.
func closingVerdict(v *messages.Verdict) []attribute.KeyValue {
	if v == nil || v.Policy != nil {
		return verdictAttributes(v)
	}
	a := make(attributes, 0, 1)
	a.str(messages.AttrVerdict, v.Text)
	return a
}

func category(p *messages.Authorization) string {
	switch {
	case p.DryRun:
		return "dry_run"
	case p.Action == messages.ActionDeny:
		return "deny"
	}
	return "allow"
}

func networkType(a netip.Addr) string {
	if a.Unmap().Is4() {
		return "ipv4"
	}
	return "ipv6"
}

func keyValue(a messages.Attr) attribute.KeyValue {
	switch a.Kind {
	case messages.AttrInt:
		return attribute.Int64(a.Key, a.Int)
	case messages.AttrBool:
		return attribute.Bool(a.Key, a.Int != 0)
	case messages.AttrString:
	}
	return attribute.String(a.Key, a.Str)
}

func keyValues(in []messages.Attr) []attribute.KeyValue {
	out := make([]attribute.KeyValue, len(in))
	for i, a := range in {
		out[i] = keyValue(a)
	}
	return out
}
