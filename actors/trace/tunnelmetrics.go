package trace

import (
	"sync/atomic"

	"github.com/troupe-mesh/troupe/transport/hbone"
)

// WatchTunnels makes the metrics show what the node's HBONE endpoints refused or cut short.
func (t *Telemetry) WatchTunnels(stats *hbone.Stats) { t.metrics.tunnels.Store(stats) }

var tunnelLimitsHead = ownCounter("troupe_hbone_limits",
	"The total number of times that a limit of a tunnel was reached (unstable).", "limit")

// tunnelLimits names the endpoints' counters.
func tunnelLimits(s *hbone.Stats) []struct {
	limit string
	n     *atomic.Uint64
} {
	return []struct {
		limit string
		n     *atomic.Uint64
	}{
		{"reset_flood", &s.ResetFloods},
		{"ping_flood", &s.PingFloods},
		{"settings_flood", &s.SettingsFloods},
		{"empty_frame_flood", &s.EmptyFrameFloods},
		{"ignored_frame_flood", &s.IgnoredFrameFloods},
		{"continuation_flood", &s.ContinuationFloods},
		{"error_flood", &s.ErrorFloods},
		{"provoked_overflow", &s.ProvokedOverflows},
		{"ping_timeout", &s.PingTimeouts},
		{"preface_timeout", &s.PrefaceTimeouts},
		{"header_timeout", &s.HeaderTimeouts},
		{"linger_timeout", &s.LingerTimeouts},
		{"connect_timeout", &s.ConnectTimeouts},
		{"protocol_error", &s.ProtocolErrors},
		{"flow_control_error", &s.FlowControlErrors},
		{"malformed_stream", &s.MalformedStreams},
		{"header_list_too_large", &s.HeaderListsTooLarge},
		{"stream_refused", &s.StreamsRefused},
		{"queue_wait", &s.QueueWaits},
		{"window_withheld", &s.WindowsWithheld},
		{"slow_application", &s.SlowApplications},
	}
}

func (m *Metrics) writeTunnels(e *exposition) {
	stats := m.tunnels.Load()
	if stats == nil {
		return
	}
	e.head(&tunnelLimitsHead)
	for _, l := range tunnelLimits(stats) {
		e.counter(&tunnelLimitsHead, []string{l.limit}, l.n.Load())
	}
}
