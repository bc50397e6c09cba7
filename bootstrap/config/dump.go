package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"go.yaml.in/yaml/v3"
)

// MarshalJSON is the config of the admin dump, keys sorted (spec/ops.md §5.4.1). Tokens, the local state's source and
// inline roots are left out; header values are hidden.
func (c *Config) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"proxy": c.Proxy, "dnsProxy": c.DNSProxy,
		"windowSize": c.WindowSize, "connectionWindowSize": c.ConnectionWindowSize, "frameSize": c.FrameSize,
		"poolMaxStreamsPerConn": c.PoolMaxStreams, "poolUnusedReleaseTimeout": dumpDuration(c.PoolUnusedRelease),
		"socks5Addr": dumpSocket(c.SOCKS5), "adminAddr": c.Admin, "statsAddr": c.Stats, "readinessAddr": c.Readiness,
		"inboundAddr": c.Inbound, "inboundPlaintextAddr": c.InboundPlaintext, "outboundAddr": c.Outbound,
		"dnsProxyAddr": c.DNS, "illegalPorts": c.IllegalPorts,
		"network": c.Network, "localNode": c.LocalNode, "proxyMode": c.ProxyMode.String(),
		"proxyWorkloadInformation": dumpWorkload(c.ProxyWorkload),
		"clusterId":                c.ClusterID, "clusterDomain": c.ClusterDomain,
		"caAddress": dumpText(c.CAAddress), "caRootCert": c.CARootCert, "altCaHostname": c.AltCAHostname,
		"xdsAddress": dumpText(c.XDSAddress), "xdsRootCert": c.XDSRootCert, "altXdsHostname": c.AltXDSHostname,
		"preferedServiceNamespace": c.PreferredServiceNamespace,
		"secretTtl":                dumpDuration(c.SecretTTL), "xdsOnDemand": c.XDSOnDemand,
		"fakeCa": c.FakeCA, "fakeSelfInbound": false,
		"selfTerminationDeadline": dumpDuration(c.DrainDeadline),
		"proxyMetadata":           c.ProxyMetadata, "numWorkerThreads": c.WorkerThreads,
		"requireOriginalSource": c.RequireOriginalSource, "proxyArgs": c.Args,
		"dnsResolverCfg": c.Resolver.dumpServers(), "dnsResolverOpts": c.Resolver.dumpOptions(c.IPv6Enabled),
		"inpodUds": c.InpodUDS, "inpodPortReuse": c.InpodPortReuse, "packetMark": c.PacketMark,
		"socketConfig": map[string]any{
			"keepaliveTime": dumpDuration(c.Keepalive.Time), "keepaliveInterval": dumpDuration(c.Keepalive.Interval),
			"keepaliveRetries": c.Keepalive.Retries, "keepaliveEnabled": c.Keepalive.Enabled,
			"userTimeoutEnabled": c.Keepalive.UserTimeout,
		},
		"xdsHeaders": c.XDSHeaders, "caHeaders": c.CAHeaders, "localhostAppTunnel": c.LocalhostAppTunnel,
		"ztunnelIdentity": dumpIdentity(c.OwnIdentity), "ztunnelWorkload": dumpWorkload(c.OwnWorkload),
		"ipv6Enabled": c.IPv6Enabled, "crlPath": dumpText(c.CRLPath), "enableEnhancedBaggage": c.ResponseBaggage,
		"bindIp": dumpIP(c.BindIP), "enforceWaypoint": c.EnforceWaypoint, "localFastpath": c.LocalFastpath,
		"unknownPolicy": c.unknownPolicy(), "handoverSocket": dumpText(c.HandoverSocket),
	})
}

// YAML is the same as text of several lines, for the log at the start (spec/ops.md §2.2).
func (c *Config) YAML() (string, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("show configuration: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	if err := decoder.Decode(&tree); err != nil {
		return "", fmt.Errorf("show configuration: %w", err)
	}
	lines, err := yaml.Marshal(plainNumbers(tree))
	if err != nil {
		return "", fmt.Errorf("show configuration: %w", err)
	}
	return string(lines), nil
}

// plainNumbers makes whole numbers of JSON's, so that YAML does not write them as text.
func plainNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
	case map[string]any:
		for key, value := range v {
			v[key] = plainNumbers(value)
		}
	case []any:
		for i, value := range v {
			v[i] = plainNumbers(value)
		}
	}
	return v
}

func (c *Config) unknownPolicy() string {
	if c.UnknownPolicyDenies {
		return unknownPolicyDeny
	}
	return unknownPolicySkip
}

func dumpDuration(d time.Duration) any {
	return map[string]int64{"secs": int64(d / time.Second), "nanos": int64(d % time.Second)}
}

// dumpText is null for the empty string.
func dumpText(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func dumpSocket(a netip.AddrPort) any {
	if !a.IsValid() {
		return nil
	}
	return a
}

func dumpIP(a netip.Addr) any {
	if !a.IsValid() {
		return nil
	}
	return a
}

func dumpWorkload(w *messages.WorkloadInfo) any {
	if w == nil {
		return nil
	}
	return map[string]string{"name": w.Name, "namespace": w.Namespace, "serviceAccount": w.ServiceAccount}
}

func dumpIdentity(i *messages.Identity) any {
	if i == nil {
		return nil
	}
	return i.String()
}

func (r *Resolver) dumpServers() any {
	servers := make([]any, len(r.NameServers))
	for i, s := range r.NameServers {
		connections := make([]any, 0, 2)
		for _, protocol := range []string{"udp", "tcp"} {
			connections = append(connections, map[string]any{
				"port": s.Port(), "protocol": map[string]string{"type": protocol}, "bind_addr": nil,
			})
		}
		servers[i] = map[string]any{"ip": s.Addr(), "trust_negative_responses": true, "connections": connections}
	}
	return map[string]any{"domain": dumpText(r.Domain), "search": r.Search, "name_servers": servers}
}

func (r *Resolver) dumpOptions(ipv6 bool) any {
	strategy := "Ipv4Only"
	if ipv6 {
		strategy = "Ipv4AndIpv6"
	}
	return map[string]any{
		"ndots": r.Ndots, "timeout": r.TimeoutSeconds, "attempts": r.Attempts, "ip_strategy": strategy,
		"cache_size": 4096,
	}
}
