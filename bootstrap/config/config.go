package config

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// ProxyMode says whom the process proxies for.
type ProxyMode uint8

// The modes.
const (
	// Shared serves every pod of the node, told by the CNI agent.
	Shared ProxyMode = iota
	// Dedicated serves one workload in the process's own network namespace.
	Dedicated
)

// String is the name in dumps.
func (m ProxyMode) String() string { return [...]string{"Shared", "Dedicated"}[m] }

// Config is the effective configuration. Where a variable is named, spec/ops.md §1.3 has its default and meaning.
type Config struct {
	ProxyMode ProxyMode
	// Proxy and DNSProxy say which per-pod servers there are (ENABLE_PROXY, ISTIO_META_DNS_CAPTURE); one is on.
	Proxy, DNSProxy bool
	// ProxyWorkload is the one workload of dedicated mode (PROXY_WORKLOAD_INFO); nil in shared mode.
	ProxyWorkload *messages.WorkloadInfo
	// OwnIdentity and OwnWorkload are the process's own (POD_NAME, POD_NAMESPACE, SERVICE_ACCOUNT, TRUST_DOMAIN); both
	// are nil unless all three are set.
	OwnIdentity *messages.Identity
	OwnWorkload *messages.WorkloadInfo

	// BindIP is the address that every listener binds, instead of the wildcard and loopback ones (TROUPE_BIND_IP). It is
	// not valid when unset.
	BindIP netip.Addr
	// Admin, Stats and Readiness are the process's HTTP endpoints.
	Admin, Stats, Readiness Address
	// Inbound, InboundPlaintext and Outbound are the per-pod listeners.
	Inbound, InboundPlaintext, Outbound netip.AddrPort
	// SOCKS5 is not valid when UNSTABLE_ENABLE_SOCKS5 is off.
	SOCKS5 netip.AddrPort
	// DNS is the DNS proxy's address (ISTIO_META_DNS_PROXY_ADDR).
	DNS Address
	// IllegalPorts are our own ports that a call must not end at, ascending (spec/ops.md §1.5).
	IllegalPorts []uint16
	IPv6Enabled  bool

	Network, ClusterID, ClusterDomain string
	// LocalNode is the node's name; nil matches every node (NODE_NAME).
	LocalNode *string
	// PodName, PodNamespace and InstanceIP go into the xDS node.
	PodName, PodNamespace, InstanceIP string
	// ProxyMetadata is the node metadata, prefix ISTIO_META_ stripped; MetaJSON has the values of ISTIO_METAJSON_.
	ProxyMetadata map[string]string
	MetaJSON      map[string]json.RawMessage

	// XDSAddress is a URI; empty means that xDS is off. CAAddress is empty only with FakeCA.
	XDSAddress, CAAddress         string
	XDSRootCert, CARootCert       RootCert
	AltXDSHostname, AltCAHostname *string
	XDSHeaders, CAHeaders         []Header
	Auth                          AuthToken
	XDSOnDemand                   bool
	// LocalXDSPath and LocalXDS name or hold the static state; at most one is set.
	LocalXDSPath                string
	LocalXDS                    string
	PreferredServiceNamespace   *string
	SecretTTL                   time.Duration
	FakeCA                      bool
	FakeCADir                   string // shares the fake authority between processes (FAKE_CA_DIR); empty: in memory
	CRLPath                     string
	TLS12Enabled, CompliancePQC bool

	// PacketMark is SO_MARK; nil or 0 sets none.
	PacketMark *uint32
	// RequireOriginalSource is ENABLE_ORIG_SRC; nil when unset.
	RequireOriginalSource *bool
	Keepalive             Keepalive
	// WindowSize and ConnectionWindowSize are HTTP/2 receive windows, FrameSize the largest frame, in bytes.
	WindowSize, ConnectionWindowSize, FrameSize uint32
	PoolMaxStreams                              uint16
	PoolUnusedRelease                           time.Duration
	LocalhostAppTunnel, ResponseBaggage         bool
	InpodUDS                                    string
	InpodPortReuse                              bool
	Resolver                                    Resolver

	// EnforceWaypoint refuses requests that pass a workload's waypoint by, and trusts those of its own (ENFORCE_WAYPOINT).
	EnforceWaypoint bool
	// LocalFastpath hands flows between two pods of this process over in memory (LOCAL_FASTPATH).
	LocalFastpath bool
	// UnknownPolicyDenies makes a policy that a workload names and nobody knows deny (UNKNOWN_POLICY=deny); otherwise it
	// is skipped, as the reference does.
	UnknownPolicyDenies bool

	// HandoverSocket is where a successor gets our sockets, and we get our predecessor's (HANDOVER_SOCKET); empty for
	// nowhere.
	HandoverSocket string
	// DrainDeadline bounds how long live connections may finish at shutdown.
	DrainDeadline time.Duration
	// WorkerThreads is the number of threads that serve traffic, 1 or more.
	WorkerThreads int
	// LogFilter is RUST_LOG, nil when unset; LogJSON is LOG_FORMAT=json.
	LogFilter *string
	LogJSON   bool
	// AuthzInfoLogging logs policy decisions at info instead of debug.
	AuthzInfoLogging bool
	// IstioVersion is ISTIO_META_ISTIO_VERSION, or unknown.
	IstioVersion string
	// Args is the command line without the program's name, joined by spaces.
	Args string
	// Warnings are remarks on settings that work but are likely not meant.
	Warnings []string
}

// Keepalive says how TCP connections are kept alive, and given up.
type Keepalive struct {
	Enabled     bool
	Time        time.Duration
	Interval    time.Duration
	Retries     uint32
	UserTimeout bool
}

// UserTimeoutAfter is TCP_USER_TIMEOUT: 0 when off.
func (k Keepalive) UserTimeoutAfter() time.Duration {
	if !k.UserTimeout {
		return 0
	}
	return k.Time + time.Duration(k.Retries)*k.Interval
}

// Transparent is what listeners try for source addresses (ENABLE_ORIG_SRC).
func (c *Config) Transparent() socket.Transparent {
	switch {
	case c.RequireOriginalSource == nil:
		return socket.TransparentTry
	case *c.RequireOriginalSource:
		return socket.TransparentRequire
	}
	return socket.TransparentOff
}

// Mark is SO_MARK, 0 for none.
func (c *Config) Mark() uint32 {
	if c.PacketMark == nil {
		return 0
	}
	return *c.PacketMark
}
