package config

import (
	"math"
	"time"
)

// dataPath reads what concerns connections.
func (l *loader) dataPath() {
	c, e := l.cfg, l.env
	if e.isSet("PACKET_MARK") || c.ProxyMode == Shared {
		mark := uint32(e.unsigned("PACKET_MARK", 32, defaultPacketMark))
		c.PacketMark = &mark
	}
	c.RequireOriginalSource = e.tristate("ENABLE_ORIG_SRC")
	c.Keepalive = Keepalive{
		Enabled:     e.boolean("KEEPALIVE_ENABLED", true),
		Time:        e.duration("KEEPALIVE_TIME", 180*time.Second),
		Interval:    e.duration("KEEPALIVE_INTERVAL", 180*time.Second),
		Retries:     uint32(e.unsigned("KEEPALIVE_RETRIES", 32, 9)),
		UserTimeout: e.boolean("USER_TIMEOUT_ENABLED", false),
	}
	c.WindowSize = e.ranged("HTTP2_STREAM_WINDOW_SIZE", 4<<20, 1, maxWindow)
	c.ConnectionWindowSize = e.ranged("HTTP2_CONNECTION_WINDOW_SIZE", 16<<20, 1, maxWindow)
	c.FrameSize = e.ranged("HTTP2_FRAME_SIZE", 1<<20, minFrame, maxFrame)
	c.PoolMaxStreams = uint16(e.ranged("POOL_MAX_STREAMS_PER_CONNECTION", 100, 1, math.MaxUint16))
	c.PoolUnusedRelease = e.duration("POOL_UNUSED_RELEASE_TIMEOUT", 5*time.Minute)
	c.LocalhostAppTunnel = e.boolean("LOCALHOST_APP_TUNNEL", true)
	c.ResponseBaggage = e.boolean("ENABLE_RESPONSE_BAGGAGE", true)
	c.InpodUDS = e.text("INPOD_UDS", "/var/run/ztunnel/ztunnel.sock")
	c.InpodPortReuse = e.boolean("INPOD_PORT_REUSE", true)
	c.EnforceWaypoint = e.boolean("ENFORCE_WAYPOINT", false)
	c.LocalFastpath = e.boolean("LOCAL_FASTPATH", false)
	c.UnknownPolicyDenies = e.choice("UNKNOWN_POLICY", unknownPolicySkip, unknownPolicyDeny) == unknownPolicyDeny
}
