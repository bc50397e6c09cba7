package oracle

import (
	"testing"

	"pgregory.net/rapid"
)

// TestInboundAgrees holds the inbound tree over the real stores against the oracle (spec/dataplane.md §4.6–§4.9, §5).
func TestInboundAgrees(t *testing.T) {
	var kinds tally
	inWorlds(t, func(t *rapid.T, m *maker, w *World, h *house, ourNetwork string) {
		a := m.arrival(w, ourNetwork)
		agree(t, m, w, a, w.Inbound(a), describeReception, func() Reception { return h.inbound(a) })
		for _, kind := range kindsOfReception(a, h.inbound(a)) {
			kinds.count(kind)
		}
	})
	kinds.need(t, "address", "sandwich", "hostname", "plaintext", "tunnel", "loopback", "gateway", "waypoint", "source", "service",
		"address_mismatch", "no_service", "no_valid_destination", "loop_rejected")
	t.Log(kinds.kinds)
}

func kindsOfReception(a Arrival, r Reception) []string {
	if r.Deny != nil {
		return []string{r.Deny.Reason.String()}
	}
	var all []string
	say := func(kind string, is bool) {
		if is {
			all = append(all, kind)
		}
	}
	say("plaintext", a.Authority.IsZero())
	say("hostname", a.Authority.Host != "")
	say("address", a.Authority.Addr.IsValid() && a.Authority.Addr == a.Dst.Addr())
	say("sandwich", a.Authority.Addr.IsValid() && a.Authority.Addr != a.Dst.Addr() && a.Local.ApplicationTunnel == nil)
	say("tunnel", r.Inbound.TunnelTarget.IsValid())
	say("loopback", r.Inbound.Loopback)
	say("gateway", r.Inbound.FromGateway)
	say("waypoint", r.Inbound.FromWaypoint)
	say("source", r.Inbound.Source != nil)
	say("service", r.Inbound.Service != nil)
	return all
}
