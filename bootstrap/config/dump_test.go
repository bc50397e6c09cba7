package config

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dumpedKeys are the keys of spec/ops.md §5.4.1.
const dumpedKeys = `proxy, dnsProxy, windowSize, connectionWindowSize, frameSize, poolMaxStreamsPerConn, poolUnusedReleaseTimeout,
socks5Addr, adminAddr, statsAddr, readinessAddr, inboundAddr, inboundPlaintextAddr, outboundAddr, dnsProxyAddr, illegalPorts,
network, localNode, proxyMode, proxyWorkloadInformation, clusterId, clusterDomain, caAddress, caRootCert, altCaHostname,
xdsAddress, xdsRootCert, altXdsHostname, preferedServiceNamespace, secretTtl, xdsOnDemand, fakeCa, fakeSelfInbound,
selfTerminationDeadline, proxyMetadata, numWorkerThreads, requireOriginalSource, proxyArgs, dnsResolverCfg, dnsResolverOpts,
inpodUds, inpodPortReuse, packetMark, socketConfig, xdsHeaders, caHeaders, localhostAppTunnel, ztunnelIdentity,
ztunnelWorkload, ipv6Enabled, crlPath, enableEnhancedBaggage`

func dumped(t *testing.T, c *Config) map[string]any {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func TestDumpHasEveryKey(t *testing.T) {
	object := dumped(t, load(t))
	for key := range strings.SplitSeq(strings.ReplaceAll(dumpedKeys, "\n", " "), ",") {
		if _, ok := object[strings.TrimSpace(key)]; !ok {
			t.Errorf("no %s", key)
		}
	}
}

func TestDumpForms(t *testing.T) {
	object := dumped(t, load(t, "TERMINATION_GRACE_PERIOD_SECONDS=30", "XDS_HEADER_Secret=hunter2", "AUTH_TOKEN=hunter2",
		"LOCAL_XDS=hunter2", "CA_ROOT_CA=hunter2", "XDS_ROOT_CA="+resolverFile, "POD_NAME=p", "POD_NAMESPACE=n",
		"SERVICE_ACCOUNT=s", "KEEPALIVE_TIME=1500ms", "UNSTABLE_ENABLE_SOCKS5=true", "CRL_PATH=", "XDS_ADDRESS="))
	want := map[string]any{
		"selfTerminationDeadline":  map[string]any{"secs": 25.0, "nanos": 0.0},
		"adminAddr":                map[string]any{"Localhost": []any{true, 15000.0}},
		"statsAddr":                map[string]any{"SocketAddr": "[::]:15020"},
		"outboundAddr":             "[::]:15001",
		"socks5Addr":               "127.0.0.1:15080",
		"illegalPorts":             []any{15001.0, 15006.0, 15008.0, 15080.0},
		"caRootCert":               "Static",
		"xdsRootCert":              map[string]any{"File": resolverFile},
		"xdsHeaders":               []any{[]any{"secret", "<redacted>"}},
		"caHeaders":                []any{},
		"ztunnelIdentity":          "spiffe://cluster.local/ns/n/sa/s",
		"ztunnelWorkload":          map[string]any{"name": "p", "namespace": "n", "serviceAccount": "s"},
		"proxyWorkloadInformation": nil, "localNode": nil, "crlPath": nil, "xdsAddress": nil,
		"requireOriginalSource": nil, "packetMark": 1337.0, "proxyMode": "Shared", "proxyArgs": "proxy ztunnel",
		"socketConfig": map[string]any{
			"keepaliveTime":     map[string]any{"secs": 1.0, "nanos": 500000000.0},
			"keepaliveInterval": map[string]any{"secs": 180.0, "nanos": 0.0},
			"keepaliveRetries":  9.0, "keepaliveEnabled": true, "userTimeoutEnabled": false,
		},
		"dnsResolverCfg": map[string]any{"domain": nil, "search": []any{}, "name_servers": []any{map[string]any{
			"ip": "10.0.0.1", "trust_negative_responses": true, "connections": []any{
				map[string]any{"port": 53.0, "protocol": map[string]any{"type": "udp"}, "bind_addr": nil},
				map[string]any{"port": 53.0, "protocol": map[string]any{"type": "tcp"}, "bind_addr": nil},
			},
		}}},
	}
	for key, value := range want {
		if diff := cmp.Diff(value, object[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	if text, _ := json.Marshal(object); strings.Contains(string(text), "hunter2") {
		t.Error("a secret is in the dump")
	}
}

func TestDumpRootForms(t *testing.T) {
	for want, root := range map[string]RootCert{
		`{"File":"a"}`: {File: "a"}, `"Default"`: {System: true}, `"Static"`: {PEM: "x"},
	} {
		if got, err := json.Marshal(root); err != nil || string(got) != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
}

func TestYAML(t *testing.T) {
	text, err := load(t, "XDS_HEADER_a=hunter2", "TERMINATION_GRACE_PERIOD_SECONDS=30").YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"\nwindowSize: 4194304\n", "\nselfTerminationDeadline:\n    nanos: 0\n    secs: 25\n", "\nproxyMode: Shared\n",
		"\nlocalNode: null\n", "<redacted>",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Error("a secret is in the log")
	}
}
