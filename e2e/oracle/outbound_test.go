package oracle

import (
	"testing"

	"pgregory.net/rapid"
)

// TestOutboundAgrees holds the outbound tree over the real stores against the oracle (spec/dataplane.md §2.4–§2.6).
func TestOutboundAgrees(t *testing.T) {
	var kinds tally
	inWorlds(t, func(t *rapid.T, m *maker, w *World, h *house, ourNetwork string) {
		c := m.call(w, ourNetwork)
		agree(t, m, w, c, w.Outbound(c), describeWay, func() Way { return h.outbound(c) })
		kinds.count(kindOfWay(h.outbound(c)))
	})
	kinds.need(t, "Passthrough TCP", "Direct TCP", "Direct HBONE", "DirectLocal TCP", "DirectLocal HBONE", "Direct DOUBLEHBONE",
		"ToServerWaypoint HBONE", "ToServerWaypoint DOUBLEHBONE", "no_healthy_upstream", "no_service", "no_valid_destination",
		"unknown_waypoint", "unknown_network_gateway", "name_resolution_failed")
	t.Log(kinds.kinds)
}

func kindOfWay(w Way) string {
	if w.Deny != nil {
		return w.Deny.Reason.String()
	}
	return w.Request.Type.String() + " " + w.Request.Protocol.String()
}
