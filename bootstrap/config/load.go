package config

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
)

// Defaults of spec/ops.md §1.3 and §1.5.
const (
	portAdmin, portStats, portReadiness             = 15000, 15020, 15021
	portOutbound, portInboundPlaintext, portInbound = 15001, 15006, 15008
	portDNS, portSOCKS5                             = 15053, 15080
	defaultPacketMark                               = 1337
	defaultDrainDeadline                            = 5 * time.Second
	maxSocketPath                                   = 80 // the kernel takes 107, and the file is made under a longer name first
	maxWindow                                       = 1<<31 - 1
	minFrame, maxFrame                              = 1 << 14, 1<<24 - 1
	defaultClusterIstiod, defaultLocalIstiod        = "https://istiod.istio-system.svc:15012", "https://localhost:15012"
	loopbackIPv6Switch                              = "/proc/sys/net/ipv6/conf/lo/disable_ipv6"
	metadataDNSCapture, metadataDNSProxyAddr        = "DNS_CAPTURE", "DNS_PROXY_ADDR"
	unknownPolicySkip, unknownPolicyDeny            = "skip", "deny"
	modeShared, modeDedicated                       = "shared", "dedicated"
)

// loader carries one run of Load.
type loader struct {
	env  *environment
	host Host
	cfg  *Config
	// origins says from which file or variable a setting came that the environment does not have itself.
	origins map[string]string
}

func newLoader(environ, args []string, host Host) *loader {
	return &loader{
		env: newEnvironment(environ), host: host, cfg: &Config{Args: strings.Join(args, " ")}, origins: map[string]string{},
	}
}

// Load reads the configuration: environ has NAME=VALUE entries, args is the command line without the program's name. On
// failure the error is a [Problems] with everything that is wrong.
func Load(environ, args []string, host Host) (*Config, error) {
	l := newLoader(environ, args, host)
	if err := l.load(); err != nil {
		return nil, err
	}
	return l.cfg, nil
}

func (l *loader) load() error {
	pc := l.proxyConfig()
	l.mode()
	l.addresses(&pc)
	l.node(&pc)
	l.controlPlane(&pc)
	l.dataPath()
	l.process(&pc)
	l.validate()
	if len(l.env.problems) > 0 {
		return l.env.problems
	}
	l.cfg.Warnings = l.env.warnings
	return nil
}

func (l *loader) reject(err error) { l.env.problems = append(l.env.problems, err) }

// mode reads whom we proxy for.
func (l *loader) mode() {
	c, e := l.cfg, l.env
	c.Proxy = e.boolean("ENABLE_PROXY", true)
	if e.choice("PROXY_MODE", modeShared, modeDedicated) == modeShared {
		return
	}
	c.ProxyMode = Dedicated
	raw, ok := e.lookup("PROXY_WORKLOAD_INFO")
	if !ok {
		e.conflict("PROXY_MODE=dedicated requires PROXY_WORKLOAD_INFO to be set to namespace/name/service-account")
		return
	}
	info, err := messages.ParseWorkloadInfo(raw)
	if err != nil {
		e.reject("PROXY_WORKLOAD_INFO", "must match the format 'namespace/name/service-account'")
		return
	}
	c.ProxyWorkload = &info
}

// addresses decides where everything listens.
func (l *loader) addresses(pc *proxyConfig) {
	c, e := l.cfg, l.env
	c.IPv6Enabled = e.boolean("IPV6_ENABLED", true)
	if raw := e.text("TROUPE_BIND_IP", ""); raw != "" {
		ip, err := netip.ParseAddr(raw)
		if err != nil || ip.Zone() != "" {
			e.reject("TROUPE_BIND_IP", "not an IP address; write one such as 127.0.0.11, or leave it empty for the defaults")
		} else {
			c.BindIP = ip.Unmap()
		}
	}
	localhost := func(port uint16) Address { return LocalhostAddress(c.IPv6Enabled && l.ipv6Loopback(), port) }
	wildcard := netip.IPv6Unspecified()
	if !c.IPv6Enabled {
		wildcard = netip.IPv4Unspecified()
	}
	socks := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if c.BindIP.IsValid() {
		wildcard, socks = c.BindIP, c.BindIP
		localhost = func(port uint16) Address { return SocketAddress(netip.AddrPortFrom(c.BindIP, port)) }
	}
	c.Admin = localhost(orDefault(pc.ProxyAdminPort, portAdmin))
	c.Stats = SocketAddress(netip.AddrPortFrom(wildcard, orDefault(pc.StatsPort, portStats)))
	c.Readiness = SocketAddress(netip.AddrPortFrom(wildcard, portReadiness))
	c.Inbound = netip.AddrPortFrom(wildcard, portInbound)
	c.InboundPlaintext = netip.AddrPortFrom(wildcard, portInboundPlaintext)
	c.Outbound = netip.AddrPortFrom(wildcard, portOutbound)
	c.IllegalPorts = []uint16{portInbound, portInboundPlaintext, portOutbound}
	if e.boolean("UNSTABLE_ENABLE_SOCKS5", false) {
		c.SOCKS5 = netip.AddrPortFrom(socks, portSOCKS5)
		c.IllegalPorts = append(c.IllegalPorts, portSOCKS5)
	}
	slices.Sort(c.IllegalPorts)

	c.DNS = localhost(portDNS)
	if raw, ok := pc.ProxyMetadata[metadataDNSProxyAddr]; ok {
		addr, err := parseAddress(c.IPv6Enabled && l.ipv6Loopback(), raw)
		if err != nil {
			e.conflict("failed to parse " + metadataDNSProxyAddr + ": " + raw + " (" + err.Error() + ")")
		}
		c.DNS = addr
	}
	capture, ok := pc.ProxyMetadata[metadataDNSCapture]
	c.DNSProxy = !ok || strings.EqualFold(capture, "true")
}

// ipv6Loopback says whether ::1 can be bound.
func (l *loader) ipv6Loopback() bool {
	content, err := l.host.ReadFile(loopbackIPv6Switch)
	return err != nil || strings.TrimSpace(string(content)) != "1"
}

// node reads who and where we are.
func (l *loader) node(pc *proxyConfig) {
	c, e := l.cfg, l.env
	c.Network = e.text("NETWORK", "")
	c.LocalNode = e.optional("NODE_NAME")
	c.ClusterID = e.text(metaPrefix+"CLUSTER_ID", e.text("CLUSTER_ID", messages.DefaultClusterID))
	c.ClusterDomain = e.text("CLUSTER_DOMAIN", "cluster.local")
	c.PodName = e.text("POD_NAME", "")
	c.PodNamespace = e.text("POD_NAMESPACE", "")
	c.InstanceIP = e.text("INSTANCE_IP", "1.1.1.1")
	c.IstioVersion = e.text(metaPrefix+"ISTIO_VERSION", "unknown")
	c.ProxyMetadata = pc.ProxyMetadata
	c.MetaJSON = map[string]json.RawMessage{}
	for _, name := range e.names(metaJSONPrefix) {
		value := e.vars[name]
		if !json.Valid([]byte(value)) {
			e.warn("skipping " + name + ": its value is not JSON")
			continue
		}
		c.MetaJSON[strings.TrimPrefix(name, metaJSONPrefix)] = json.RawMessage(value)
	}
	if e.isSet("POD_NAME") && e.isSet("POD_NAMESPACE") && e.isSet("SERVICE_ACCOUNT") {
		account := e.text("SERVICE_ACCOUNT", "")
		c.OwnWorkload = &messages.WorkloadInfo{Name: c.PodName, Namespace: c.PodNamespace, ServiceAccount: account}
		c.OwnIdentity = &messages.Identity{
			TrustDomain: e.text("TRUST_DOMAIN", messages.DefaultTrustDomain),
			Namespace:   c.PodNamespace, ServiceAccount: account,
		}
	}
}

// process reads threads, shutdown and logging.
func (l *loader) process(pc *proxyConfig) {
	c, e := l.cfg, l.env
	c.WorkerThreads = l.workerThreads(pc.Concurrency)
	c.DrainDeadline = l.drainDeadline()
	if c.HandoverSocket = e.text("HANDOVER_SOCKET", ""); len(c.HandoverSocket) > maxSocketPath {
		e.reject("HANDOVER_SOCKET", "too long for a socket; write a path of at most "+strconv.Itoa(maxSocketPath)+" bytes")
	}
	c.LogFilter = e.optional("RUST_LOG")
	if c.LogFilter != nil {
		if _, err := logs.ParseFilter(*c.LogFilter); err != nil {
			e.reject("RUST_LOG", err.Error())
		}
	}
	c.LogJSON = e.text("LOG_FORMAT", "plain") == "json"
	c.AuthzInfoLogging = e.text("AUTHZ_POLICY_INFO_LOGGING", "") == "true"
	c.Resolver = l.resolver()
}

// drainDeadline is CONNECTION_TERMINATION_DEADLINE, else somewhat less than the grace period that Kubernetes gives.
func (l *loader) drainDeadline() time.Duration {
	const grace = "TERMINATION_GRACE_PERIOD_SECONDS"
	unset := defaultDrainDeadline
	if l.env.isSet(grace) {
		// 2^32 seconds are 136 years: beyond them the reference's arithmetic has no meaning either.
		seconds := min(l.env.unsigned(grace, 64, 0), 1<<32)
		switch {
		case seconds > 10:
			seconds -= 5
		case seconds > 1:
			seconds--
		default:
			seconds = 1
		}
		unset = time.Duration(seconds) * time.Second
	}
	return l.env.duration("CONNECTION_TERMINATION_DEADLINE", unset)
}

// validate refuses combinations that can't work.
func (l *loader) validate() {
	c := l.cfg
	if c.DNSProxy && c.XDSOnDemand {
		l.reject(&ProxyConfigError{errOnDemandDNS})
	}
	if !c.Proxy && !c.DNSProxy {
		l.reject(&ProxyConfigError{errNoServers})
	}
}

func orDefault(v *uint16, unset uint16) uint16 {
	if v == nil {
		return unset
	}
	return *v
}
