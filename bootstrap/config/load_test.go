package config

import (
	"errors"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// host is a machine with these files and that many processors.
func host(cpus int, files map[string]string) Host {
	return Host{
		CPUs: cpus,
		ReadFile: func(name string) ([]byte, error) {
			if content, ok := files[name]; ok {
				return []byte(content), nil
			}
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		},
		Exists: func(name string) bool {
			_, ok := files[name]
			return ok
		},
	}
}

func load(t *testing.T, environ ...string) *Config {
	t.Helper()
	c, err := Load(environ, []string{"proxy", "ztunnel"}, host(8, map[string]string{resolverFile: "nameserver 10.0.0.1\n"}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := load(t)
	wildcard := netip.IPv6Unspecified()
	mark := uint32(1337)
	want := &Config{
		ProxyMode: Shared, Proxy: true, DNSProxy: true,
		Admin:            Address{Localhost: true, IPv6: true, Port: 15000},
		Stats:            SocketAddress(netip.AddrPortFrom(wildcard, 15020)),
		Readiness:        SocketAddress(netip.AddrPortFrom(wildcard, 15021)),
		Inbound:          netip.AddrPortFrom(wildcard, 15008),
		InboundPlaintext: netip.AddrPortFrom(wildcard, 15006),
		Outbound:         netip.AddrPortFrom(wildcard, 15001),
		DNS:              Address{Localhost: true, IPv6: true, Port: 15053},
		IllegalPorts:     []uint16{15001, 15006, 15008}, IPv6Enabled: true,
		ClusterID: "Kubernetes", ClusterDomain: "cluster.local", InstanceIP: "1.1.1.1", IstioVersion: "unknown",
		ProxyMetadata: map[string]string{}, MetaJSON: c.MetaJSON,
		XDSAddress: "https://localhost:15012", CAAddress: "https://localhost:15012",
		XDSHeaders: []Header{}, CAHeaders: []Header{}, SecretTTL: 24 * time.Hour,
		PacketMark: &mark,
		Keepalive:  Keepalive{Enabled: true, Time: 3 * time.Minute, Interval: 3 * time.Minute, Retries: 9},
		WindowSize: 4194304, ConnectionWindowSize: 16777216, FrameSize: 1048576,
		PoolMaxStreams: 100, PoolUnusedRelease: 5 * time.Minute, LocalhostAppTunnel: true, ResponseBaggage: true,
		InpodUDS: "/var/run/ztunnel/ztunnel.sock", InpodPortReuse: true,
		Resolver: Resolver{
			Search: []string{}, NameServers: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:53")},
			Ndots: 1, TimeoutSeconds: 5, Attempts: 2,
		},
		DrainDeadline: 5 * time.Second, WorkerThreads: 2, Args: "proxy ztunnel",
		Warnings: c.Warnings,
	}
	if diff := cmp.Diff(want, c, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	if len(c.Warnings) != 2 || !strings.Contains(c.Warnings[0], "XDS_ROOT_CA") {
		t.Errorf("a trust store that is empty is not warned of: %q", c.Warnings)
	}
	if c.Transparent() != socket.TransparentTry || c.Mark() != 1337 || c.Keepalive.UserTimeoutAfter() != 0 {
		t.Error("derived defaults")
	}
}

func TestEachVariable(t *testing.T) {
	ap := netip.MustParseAddrPort
	tests := []struct {
		env  string // separated by ;
		want func(*Config) bool
	}{
		{"ENABLE_PROXY=false", func(c *Config) bool { return !c.Proxy && c.DNSProxy }},
		{
			"PROXY_MODE=dedicated;PROXY_WORKLOAD_INFO=ns/name/sa/x",
			func(c *Config) bool {
				return c.ProxyMode == Dedicated && c.PacketMark == nil && c.Mark() == 0 &&
					*c.ProxyWorkload == messages.WorkloadInfo{Namespace: "ns", Name: "name", ServiceAccount: "sa/x"}
			},
		},
		{"PROXY_MODE=shared;PROXY_WORKLOAD_INFO=bad", func(c *Config) bool { return c.ProxyWorkload == nil }},
		{"NODE_NAME=", func(c *Config) bool { return *c.LocalNode == "" }},
		{"NETWORK=n1", func(c *Config) bool { return c.Network == "n1" }},
		{"CLUSTER_ID=a", func(c *Config) bool { return c.ClusterID == "a" }},
		{"CLUSTER_ID=a;ISTIO_META_CLUSTER_ID=b", func(c *Config) bool {
			return c.ClusterID == "b" && c.ProxyMetadata["CLUSTER_ID"] == "b"
		}},
		{"CLUSTER_DOMAIN=d", func(c *Config) bool { return c.ClusterDomain == "d" }},
		{"POD_NAME=p;POD_NAMESPACE=n;SERVICE_ACCOUNT=s;TRUST_DOMAIN=t", func(c *Config) bool {
			return c.OwnIdentity.String() == "spiffe://t/ns/n/sa/s" && c.OwnWorkload.Name == "p"
		}},
		{"POD_NAME=p;POD_NAMESPACE=n", func(c *Config) bool { return c.OwnIdentity == nil && c.PodName == "p" }},
		{"INSTANCE_IP=10.0.0.9", func(c *Config) bool { return c.InstanceIP == "10.0.0.9" }},
		{"ISTIO_META_ISTIO_VERSION=1.31", func(c *Config) bool {
			return c.IstioVersion == "1.31" && c.ProxyMetadata["ISTIO_VERSION"] == "1.31"
		}},
		{`ISTIO_METAJSON_X={"a":1};ISTIO_METAJSON_Y={`, func(c *Config) bool {
			return string(c.MetaJSON["X"]) == `{"a":1}` && len(c.MetaJSON) == 1 && strings.Contains(c.Warnings[0], "METAJSON_Y")
		}},
		{"XDS_ADDRESS=istiod:15012", func(c *Config) bool { return c.XDSAddress == "https://istiod:15012" }},
		{"XDS_ADDRESS=http://[::1]:1", func(c *Config) bool { return c.XDSAddress == "http://[::1]:1" }},
		{"XDS_ADDRESS=", func(c *Config) bool { return c.XDSAddress == "" }},
		{"KUBERNETES_SERVICE_HOST=", func(c *Config) bool {
			return c.XDSAddress == defaultClusterIstiod && c.CAAddress == defaultClusterIstiod
		}},
		{"CA_ADDRESS=ca:1", func(c *Config) bool { return c.CAAddress == "https://ca:1" }},
		{"FAKE_CA=true;CA_ADDRESS=%%;FAKE_CA_DIR=/d", func(c *Config) bool {
			return c.FakeCA && c.CAAddress == "" && c.FakeCADir == "/d"
		}},
		{"XDS_ROOT_CA=SYSTEM;CA_ROOT_CA=-----BEGIN", func(c *Config) bool {
			return c.XDSRootCert.System && c.CARootCert == RootCert{PEM: "-----BEGIN"} && len(c.Warnings) == 0
		}},
		{"XDS_ROOT_CA=" + resolverFile, func(c *Config) bool { return c.XDSRootCert.File == resolverFile }},
		{"ALT_XDS_HOSTNAME=x;ALT_CA_HOSTNAME=y", func(c *Config) bool {
			return *c.AltXDSHostname == "x" && *c.AltCAHostname == "y"
		}},
		{"AUTH_TOKEN=", func(c *Config) bool { return c.Auth == AuthToken{HasStatic: true} }},
		{"AUTH_TOKEN=abc", func(c *Config) bool { return c.Auth == AuthToken{Static: "abc", HasStatic: true} }},
		{"AUTH_TOKEN=" + resolverFile, func(c *Config) bool { return c.Auth == AuthToken{File: resolverFile} }},
		{"XDS_ON_DEMAND=true;ISTIO_META_DNS_CAPTURE=no", func(c *Config) bool { return c.XDSOnDemand && !c.DNSProxy }},
		{"ISTIO_META_DNS_CAPTURE=TRUE", func(c *Config) bool { return c.DNSProxy }},
		{"ISTIO_META_DNS_PROXY_ADDR=localhost:53", func(c *Config) bool { return c.DNS.Localhost && c.DNS.Port == 53 }},
		{"ISTIO_META_DNS_PROXY_ADDR=[::1]:53", func(c *Config) bool { return c.DNS.Socket == ap("[::1]:53") }},
		{"XDS_HEADER_FOO_BAR=1;CA_HEADER_z=2", func(c *Config) bool {
			return c.XDSHeaders[0] == Header{"foo_bar", "1"} && c.CAHeaders[0] == Header{"z", "2"}
		}},
		{"SECRET_TTL=1d", func(c *Config) bool { return c.SecretTTL == 24*time.Hour }},
		{"LOCAL_XDS_PATH=/f", func(c *Config) bool { return c.LocalXDSPath == "/f" }},
		{"LOCAL_XDS={}", func(c *Config) bool { return c.LocalXDS == "{}" }},
		{"PREFERED_SERVICE_NAMESPACE=p", func(c *Config) bool { return *c.PreferredServiceNamespace == "p" }},
		{"CRL_PATH=/c", func(c *Config) bool { return c.CRLPath == "/c" }},
		{"PACKET_MARK=+0", func(c *Config) bool { return *c.PacketMark == 0 }},
		{"PROXY_MODE=dedicated;PROXY_WORKLOAD_INFO=a/b/c;PACKET_MARK=5", func(c *Config) bool { return c.Mark() == 5 }},
		{"ENABLE_ORIG_SRC=true", func(c *Config) bool { return c.Transparent() == socket.TransparentRequire }},
		{"ENABLE_ORIG_SRC=false", func(c *Config) bool { return c.Transparent() == socket.TransparentOff }},
		{"IPV6_ENABLED=false", func(c *Config) bool {
			return c.Outbound == ap("0.0.0.0:15001") && c.Stats.Socket == ap("0.0.0.0:15020") &&
				slices.Equal(c.Admin.AddrPorts(), []netip.AddrPort{ap("127.0.0.1:15000")})
		}},
		{"TROUPE_BIND_IP=127.0.0.11;UNSTABLE_ENABLE_SOCKS5=true", func(c *Config) bool {
			return c.Outbound == ap("127.0.0.11:15001") && c.Inbound == ap("127.0.0.11:15008") &&
				c.InboundPlaintext == ap("127.0.0.11:15006") && c.SOCKS5 == ap("127.0.0.11:15080") &&
				c.DNS.Socket == ap("127.0.0.11:15053") && c.Stats.Socket == ap("127.0.0.11:15020") &&
				c.Readiness.Socket == ap("127.0.0.11:15021") &&
				slices.Equal(c.Admin.AddrPorts(), []netip.AddrPort{ap("127.0.0.11:15000")})
		}},
		{"TROUPE_BIND_IP=", func(c *Config) bool { return !c.BindIP.IsValid() }},
		{"UNSTABLE_ENABLE_SOCKS5=true", func(c *Config) bool {
			return c.SOCKS5 == ap("127.0.0.1:15080") && slices.Contains(c.IllegalPorts, 15080)
		}},
		{"INPOD_UDS=/u;INPOD_PORT_REUSE=false", func(c *Config) bool { return c.InpodUDS == "/u" && !c.InpodPortReuse }},
		{"LOCALHOST_APP_TUNNEL=false;ENABLE_RESPONSE_BAGGAGE=false", func(c *Config) bool {
			return !c.LocalhostAppTunnel && !c.ResponseBaggage
		}},
		{
			"KEEPALIVE_ENABLED=false;KEEPALIVE_TIME=1;KEEPALIVE_INTERVAL=2s;KEEPALIVE_RETRIES=3;USER_TIMEOUT_ENABLED=true",
			func(c *Config) bool { return !c.Keepalive.Enabled && c.Keepalive.UserTimeoutAfter() == 7*time.Second },
		},
		{"POOL_MAX_STREAMS_PER_CONNECTION=7;POOL_UNUSED_RELEASE_TIMEOUT=1m", func(c *Config) bool {
			return c.PoolMaxStreams == 7 && c.PoolUnusedRelease == time.Minute
		}},
		{"HTTP2_STREAM_WINDOW_SIZE=1;HTTP2_CONNECTION_WINDOW_SIZE=2;HTTP2_FRAME_SIZE=16384", func(c *Config) bool {
			return c.WindowSize == 1 && c.ConnectionWindowSize == 2 && c.FrameSize == 16384
		}},
		{"COMPLIANCE_POLICY=pqc;TLS12_ENABLED=true", func(c *Config) bool { return c.CompliancePQC && c.TLS12Enabled }},
		{"COMPLIANCE_POLICY=fips;TLS12_ENABLED=1", func(c *Config) bool { return !c.CompliancePQC && !c.TLS12Enabled }},
		{"CONNECTION_TERMINATION_DEADLINE=1m;TERMINATION_GRACE_PERIOD_SECONDS=30", func(c *Config) bool {
			return c.DrainDeadline == time.Minute
		}},
		{"TERMINATION_GRACE_PERIOD_SECONDS=30", func(c *Config) bool { return c.DrainDeadline == 25*time.Second }},
		{"TERMINATION_GRACE_PERIOD_SECONDS=10", func(c *Config) bool { return c.DrainDeadline == 9*time.Second }},
		{"TERMINATION_GRACE_PERIOD_SECONDS=1", func(c *Config) bool { return c.DrainDeadline == time.Second }},
		{"TERMINATION_GRACE_PERIOD_SECONDS=0", func(c *Config) bool { return c.DrainDeadline == time.Second }},
		{"TERMINATION_GRACE_PERIOD_SECONDS=18446744073709551615", func(c *Config) bool { return c.DrainDeadline > 0 }},
		{"RUST_LOG=debug,access=off;LOG_FORMAT=json", func(c *Config) bool {
			return *c.LogFilter == "debug,access=off" && c.LogJSON
		}},
		{"LOG_FORMAT=JSON", func(c *Config) bool { return !c.LogJSON }},
		{"AUTHZ_POLICY_INFO_LOGGING=true", func(c *Config) bool { return c.AuthzInfoLogging }},
		{"AUTHZ_POLICY_INFO_LOGGING=yes", func(c *Config) bool { return !c.AuthzInfoLogging }},
		{"ENFORCE_WAYPOINT=true;LOCAL_FASTPATH=true;UNKNOWN_POLICY=deny", func(c *Config) bool {
			return c.EnforceWaypoint && c.LocalFastpath && c.UnknownPolicyDenies
		}},
		{"UNKNOWN_POLICY=skip", func(c *Config) bool { return !c.UnknownPolicyDenies }},
		{"NETWORK=first;NETWORK=second;\xff=x;FAKE_CA\xfe=1;=x;novalue", func(c *Config) bool { return c.Network == "first" }},
		{"FAKE_CA=\xff", func(c *Config) bool { return !c.FakeCA }},
	}
	for _, tt := range tests {
		t.Run(tt.env, func(t *testing.T) {
			if c := load(t, strings.Split(tt.env, ";")...); !tt.want(c) {
				t.Errorf("not honoured: %+v", c)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		env  string
		want []string
	}{
		{"FAKE_CA=1", []string{"invalid env var FAKE_CA=1 (", "true or false"}},
		{"ENABLE_PROXY=", []string{"invalid env var ENABLE_PROXY= (", "true or false"}},
		{"ENABLE_ORIG_SRC=True", []string{"ENABLE_ORIG_SRC=True", "true or false"}},
		{"PROXY_MODE=both", []string{"invalid env var PROXY_MODE=both (", "shared, dedicated"}},
		{"PROXY_MODE=dedicated", []string{"PROXY_WORKLOAD_INFO", "namespace/name/service-account"}},
		{"PROXY_MODE=dedicated;PROXY_WORKLOAD_INFO=a/b", []string{"PROXY_WORKLOAD_INFO=a/b", "namespace/name/service-account"}},
		{"PACKET_MARK=0x539", []string{"PACKET_MARK=0x539", "decimal number from 0 to 4294967295"}},
		{"PACKET_MARK=4294967296", []string{"PACKET_MARK=4294967296", "decimal"}},
		{"PACKET_MARK= 1", []string{"PACKET_MARK= 1 (invalid digit"}},
		{"PACKET_MARK=", []string{"empty string"}},
		{"PACKET_MARK=+", []string{"invalid digit"}},
		{"KEEPALIVE_TIME=1.5s", []string{"invalid env var KEEPALIVE_TIME=1.5s (", "1m30s"}},
		{"SECRET_TTL=", []string{"invalid env var SECRET_TTL= (", "1m30s"}},
		{"HTTP2_FRAME_SIZE=100", []string{"HTTP2_FRAME_SIZE=100", "16384 to 16777215"}},
		{"HTTP2_STREAM_WINDOW_SIZE=0", []string{"HTTP2_STREAM_WINDOW_SIZE=0", "1 to 2147483647"}},
		{"POOL_MAX_STREAMS_PER_CONNECTION=70000", []string{"POOL_MAX_STREAMS_PER_CONNECTION=70000", "1 to 65535"}},
		{"XDS_ADDRESS=a b", []string{"XDS_ADDRESS=a b", "https://host:port"}},
		{"XDS_ADDRESS=ftp://a", []string{"XDS_ADDRESS=ftp://a", "https://host:port"}},
		{"XDS_ADDRESS=https://a:99999", []string{"https://host:port"}},
		{"CA_ADDRESS=", []string{"invalid env var CA_ADDRESS= (", "FAKE_CA=true"}},
		{"FAKE_CA_DIR=/x", []string{"FAKE_CA_DIR=/x", "FAKE_CA=true"}},
		{"LOCAL_XDS=a;LOCAL_XDS_PATH=b", []string{"LOCAL_XDS_PATH or LOCAL_XDS", "unset one"}},
		{"XDS_ON_DEMAND=true", []string{"on-demand", "ISTIO_META_DNS_CAPTURE=false"}},
		{"ENABLE_PROXY=false;ISTIO_META_DNS_CAPTURE=false", []string{"ztunnel run without any servers enabled"}},
		{"ISTIO_META_DNS_PROXY_ADDR=here", []string{"DNS_PROXY_ADDR: here", "localhost:PORT"}},
		{"ISTIO_META_DNS_PROXY_ADDR=localhost:99999", []string{"DNS_PROXY_ADDR: localhost:99999"}},
		{"XDS_HEADER_a-bin=secret", []string{"XDS_HEADER_a-bin", "-bin"}},
		{"XDS_HEADER_=secret", []string{"failed to parse header key"}},
		{"CA_HEADER_a=sec\nret", []string{"CA_HEADER_a", "visible ASCII"}},
		{"TROUPE_BIND_IP=localhost", []string{"TROUPE_BIND_IP=localhost", "127.0.0.11"}},
		{"TROUPE_BIND_IP=fe80::1%lo", []string{"TROUPE_BIND_IP"}},
		{"HANDOVER_SOCKET=/" + strings.Repeat("x", 100), []string{"HANDOVER_SOCKET=/x", "at most 80 bytes"}},
		{"UNKNOWN_POLICY=allow", []string{"UNKNOWN_POLICY=allow", "skip, deny"}},
		{"RUST_LOG=a=loud", []string{"invalid env var RUST_LOG=a=loud (", "debug"}},
		{"ZTUNNEL_WORKER_THREADS=many", []string{"ZTUNNEL_WORKER_THREADS=many", "50%"}},
		{"ZTUNNEL_WORKER_THREADS=0%", []string{"between 0 and 100"}},
		{"ZTUNNEL_WORKER_THREADS=x%", []string{"50%"}},
		{"ZTUNNEL_RESOURCE_CPU_LIMIT=0", []string{"ZTUNNEL_RESOURCE_CPU_LIMIT=0", "500m"}},
		{"ZTUNNEL_RESOURCE_CPU_REQUEST=1k", []string{"ZTUNNEL_RESOURCE_CPU_REQUEST=1k", "500m"}},
		{"TERMINATION_GRACE_PERIOD_SECONDS=-1", []string{"TERMINATION_GRACE_PERIOD_SECONDS=-1"}},
		{"PROXY_CONFIG=[", []string{"error parsing proxy config", "PROXY_CONFIG=["}},
		{"PROXY_CONFIG={statsPort: 70000}", []string{"error parsing proxy config", "PROXY_CONFIG"}},
		{"PROXY_CONFIG={discoveryAddress: a b}", []string{"discoveryAddress=a b", "host:port"}},
	}
	for _, tt := range tests {
		t.Run(tt.env, func(t *testing.T) {
			_, err := Load(strings.Split(tt.env, ";"), nil, host(2, nil))
			var problems Problems
			if !errors.As(err, &problems) || len(problems) != 1 {
				t.Fatalf("got %v, want exactly one problem", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "sec\nret") {
				t.Errorf("the problem shows a header's value: %q", err)
			}
		})
	}
}

func TestEveryProblemIsReported(t *testing.T) {
	_, err := Load([]string{"FAKE_CA=1", "SECRET_TTL=x", "PROXY_MODE=y", "RUST_LOG=a=b=c", "TROUPE_BIND_IP=z"}, nil, host(2, nil))
	for _, name := range []string{"FAKE_CA", "SECRET_TTL", "PROXY_MODE", "RUST_LOG", "TROUPE_BIND_IP"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	var one *VarError
	if !errors.As(err, &one) || one.Name == "" {
		t.Errorf("no VarError in %v", err)
	}
}

func TestIPv6LoopbackOff(t *testing.T) {
	c, err := Load(nil, nil, host(2, map[string]string{loopbackIPv6Switch: "1\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if c.Admin.IPv6 || c.DNS.IPv6 || !c.IPv6Enabled || c.Outbound.Addr() != netip.IPv6Unspecified() {
		t.Errorf("got %+v", c)
	}
}
