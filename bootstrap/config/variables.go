package config

import (
	"strconv"
	"time"
)

// variables are all settings, in the order of spec/ops.md §1.3, ours after the reference's.
var variables = []variable{
	{name: "PROXY_MODE", show: word(func(c *Config) bool { return c.ProxyMode == Shared }, modeShared, modeDedicated)},
	{name: "PROXY_WORKLOAD_INFO", show: func(c *Config) (string, bool) {
		if c.ProxyWorkload == nil {
			return "", false
		}
		w := c.ProxyWorkload
		return w.Namespace + "/" + w.Name + "/" + w.ServiceAccount, true
	}},
	{name: "ENABLE_PROXY", show: flag(func(c *Config) bool { return c.Proxy })},
	{name: "NODE_NAME", show: given(func(c *Config) *string { return c.LocalNode })},
	{name: "NETWORK", show: always(func(c *Config) string { return c.Network })},
	{name: "ISTIO_META_CLUSTER_ID", show: always(func(c *Config) string { return c.ClusterID }), from: []string{"CLUSTER_ID"}},
	{name: "CLUSTER_DOMAIN", show: always(func(c *Config) string { return c.ClusterDomain })},
	{name: "POD_NAME", show: filled(func(c *Config) string { return c.PodName })},
	{name: "POD_NAMESPACE", show: filled(func(c *Config) string { return c.PodNamespace })},
	{name: "SERVICE_ACCOUNT", show: func(c *Config) (string, bool) {
		if c.OwnWorkload == nil {
			return "", false
		}
		return c.OwnWorkload.ServiceAccount, true
	}},
	{name: "INSTANCE_IP", show: always(func(c *Config) string { return c.InstanceIP })},
	{name: "TRUST_DOMAIN", show: func(c *Config) (string, bool) {
		if c.OwnIdentity == nil {
			return "", false
		}
		return c.OwnIdentity.TrustDomain, true
	}},
	{name: "ISTIO_META_ISTIO_VERSION", show: always(func(c *Config) string { return c.IstioVersion })},

	{
		name: "XDS_ADDRESS", show: always(func(c *Config) string { return c.XDSAddress }),
		from: []string{fieldDiscoveryAddress, "KUBERNETES_SERVICE_HOST"},
	},
	{name: "CA_ADDRESS", show: filled(func(c *Config) string { return c.CAAddress }), from: []string{"KUBERNETES_SERVICE_HOST"}},
	{name: "XDS_ROOT_CA", show: func(c *Config) (string, bool) { return writeRoot(c.XDSRootCert) }},
	{name: "CA_ROOT_CA", show: func(c *Config) (string, bool) { return writeRoot(c.CARootCert) }},
	{name: "ALT_XDS_HOSTNAME", show: given(func(c *Config) *string { return c.AltXDSHostname })},
	{name: "ALT_CA_HOSTNAME", show: given(func(c *Config) *string { return c.AltCAHostname })},
	{name: "AUTH_TOKEN", show: func(c *Config) (string, bool) { return writeToken(c.Auth) }},
	{name: "XDS_ON_DEMAND", show: flag(func(c *Config) bool { return c.XDSOnDemand })},
	{name: "SECRET_TTL", show: span(func(c *Config) time.Duration { return c.SecretTTL })},
	{name: "FAKE_CA", show: flag(func(c *Config) bool { return c.FakeCA })},
	{name: "LOCAL_XDS_PATH", show: filled(func(c *Config) string { return c.LocalXDSPath })},
	{name: "LOCAL_XDS", show: func(c *Config) (string, bool) { return hidden, c.LocalXDS != "" }},
	{name: "PREFERED_SERVICE_NAMESPACE", show: given(func(c *Config) *string { return c.PreferredServiceNamespace })},
	{name: "CRL_PATH", show: filled(func(c *Config) string { return c.CRLPath })},

	{name: "PACKET_MARK", show: func(c *Config) (string, bool) {
		if c.PacketMark == nil {
			return "", false
		}
		return strconv.FormatUint(uint64(*c.PacketMark), 10), true
	}},
	{name: "ENABLE_ORIG_SRC", show: func(c *Config) (string, bool) {
		if c.RequireOriginalSource == nil {
			return "", false
		}
		return strconv.FormatBool(*c.RequireOriginalSource), true
	}},
	{name: "IPV6_ENABLED", show: flag(func(c *Config) bool { return c.IPv6Enabled })},
	{name: "INPOD_UDS", show: always(func(c *Config) string { return c.InpodUDS })},
	{name: "INPOD_PORT_REUSE", show: flag(func(c *Config) bool { return c.InpodPortReuse })},
	{name: "UNSTABLE_ENABLE_SOCKS5", show: flag(func(c *Config) bool { return c.SOCKS5.IsValid() })},
	{name: "LOCALHOST_APP_TUNNEL", show: flag(func(c *Config) bool { return c.LocalhostAppTunnel })},
	{name: "ENABLE_RESPONSE_BAGGAGE", show: flag(func(c *Config) bool { return c.ResponseBaggage })},
	{name: "KEEPALIVE_ENABLED", show: flag(func(c *Config) bool { return c.Keepalive.Enabled })},
	{name: "KEEPALIVE_TIME", show: span(func(c *Config) time.Duration { return c.Keepalive.Time })},
	{name: "KEEPALIVE_INTERVAL", show: span(func(c *Config) time.Duration { return c.Keepalive.Interval })},
	{name: "KEEPALIVE_RETRIES", show: number(func(c *Config) uint32 { return c.Keepalive.Retries })},
	{name: "USER_TIMEOUT_ENABLED", show: flag(func(c *Config) bool { return c.Keepalive.UserTimeout })},
	{name: "POOL_MAX_STREAMS_PER_CONNECTION", show: number(func(c *Config) uint16 { return c.PoolMaxStreams })},
	{name: "POOL_UNUSED_RELEASE_TIMEOUT", show: span(func(c *Config) time.Duration { return c.PoolUnusedRelease })},
	{name: "HTTP2_STREAM_WINDOW_SIZE", show: number(func(c *Config) uint32 { return c.WindowSize })},
	{name: "HTTP2_CONNECTION_WINDOW_SIZE", show: number(func(c *Config) uint32 { return c.ConnectionWindowSize })},
	{name: "HTTP2_FRAME_SIZE", show: number(func(c *Config) uint32 { return c.FrameSize })},
	{name: "ISTIO_META_DNS_CAPTURE", show: flag(func(c *Config) bool { return c.DNSProxy })},
	{name: "ISTIO_META_DNS_PROXY_ADDR", show: always(func(c *Config) string { return c.DNS.String() })},
	{name: "COMPLIANCE_POLICY", show: func(c *Config) (string, bool) { return "pqc", c.CompliancePQC }},
	{name: "TLS12_ENABLED", show: flag(func(c *Config) bool { return c.TLS12Enabled })},

	{
		name: "ZTUNNEL_WORKER_THREADS", show: always(func(c *Config) string { return strconv.Itoa(c.WorkerThreads) }),
		from: []string{fieldConcurrency, "ZTUNNEL_RESOURCE_CPU_LIMIT", "ZTUNNEL_RESOURCE_CPU_REQUEST", "ZTUNNEL_CPU_LIMIT"},
	},
	{
		name: "CONNECTION_TERMINATION_DEADLINE", show: span(func(c *Config) time.Duration { return c.DrainDeadline }),
		from: []string{"TERMINATION_GRACE_PERIOD_SECONDS"},
	},
	{name: "RUST_LOG", show: given(func(c *Config) *string { return c.LogFilter })},
	{name: "LOG_FORMAT", show: word(func(c *Config) bool { return c.LogJSON }, "json", "plain")},
	{name: "AUTHZ_POLICY_INFO_LOGGING", show: flag(func(c *Config) bool { return c.AuthzInfoLogging })},
	{name: fieldAdminPort, show: number(func(c *Config) uint16 { return c.Admin.port() })},
	{name: fieldStatsPort, show: number(func(c *Config) uint16 { return c.Stats.port() })},

	{name: "TROUPE_BIND_IP", show: func(c *Config) (string, bool) { return writeIP(c.BindIP) }},
	{name: "FAKE_CA_DIR", show: filled(func(c *Config) string { return c.FakeCADir })},
	{name: "HANDOVER_SOCKET", show: filled(func(c *Config) string { return c.HandoverSocket })},
	{name: "ENFORCE_WAYPOINT", show: flag(func(c *Config) bool { return c.EnforceWaypoint })},
	{name: "LOCAL_FASTPATH", show: flag(func(c *Config) bool { return c.LocalFastpath })},
	{name: "UNKNOWN_POLICY", show: always((*Config).unknownPolicy)},
}
