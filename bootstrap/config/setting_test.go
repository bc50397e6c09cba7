package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// specified are the variables of spec/ops.md §1.3, and ours, with a value that is not the default; * marks those of which
// a secret is hidden.
const specified = `
PROXY_MODE=dedicated PROXY_WORKLOAD_INFO=ns/name/sa ENABLE_PROXY=false NODE_NAME=n NETWORK=net ISTIO_META_CLUSTER_ID=c
CLUSTER_DOMAIN=d POD_NAME=p POD_NAMESPACE=pn SERVICE_ACCOUNT=s INSTANCE_IP=10.0.0.9 TRUST_DOMAIN=t ISTIO_META_ISTIO_VERSION=1.31
ISTIO_META_X=y ISTIO_METAJSON_Z={"a":1} XDS_ADDRESS=https://x:1 CA_ADDRESS=https://y:2 XDS_ROOT_CA=SYSTEM CA_ROOT_CA=SYSTEM
ALT_XDS_HOSTNAME=ax ALT_CA_HOSTNAME=ac AUTH_TOKEN=/etc/resolv.conf SECRET_TTL=90m
LOCAL_XDS_PATH=/f PREFERED_SERVICE_NAMESPACE=ps CRL_PATH=/c PACKET_MARK=7 ENABLE_ORIG_SRC=true IPV6_ENABLED=false
INPOD_UDS=/u INPOD_PORT_REUSE=false UNSTABLE_ENABLE_SOCKS5=true LOCALHOST_APP_TUNNEL=false ENABLE_RESPONSE_BAGGAGE=false
KEEPALIVE_ENABLED=false KEEPALIVE_TIME=61s KEEPALIVE_INTERVAL=1500ms KEEPALIVE_RETRIES=3 USER_TIMEOUT_ENABLED=true
POOL_MAX_STREAMS_PER_CONNECTION=7 POOL_UNUSED_RELEASE_TIMEOUT=2h HTTP2_STREAM_WINDOW_SIZE=1 HTTP2_CONNECTION_WINDOW_SIZE=2
HTTP2_FRAME_SIZE=16384 ISTIO_META_DNS_CAPTURE=true ISTIO_META_DNS_PROXY_ADDR=127.0.0.1:53 COMPLIANCE_POLICY=pqc TLS12_ENABLED=true
ZTUNNEL_WORKER_THREADS=3 CONNECTION_TERMINATION_DEADLINE=7s RUST_LOG=debug LOG_FORMAT=json AUTHZ_POLICY_INFO_LOGGING=true
TROUPE_BIND_IP=127.0.0.1 HANDOVER_SOCKET=/h ENFORCE_WAYPOINT=true LOCAL_FASTPATH=true UNKNOWN_POLICY=deny`

// elsewhere are those that can't stand beside the others.
const elsewhere = `FAKE_CA=true FAKE_CA_DIR=/d XDS_ON_DEMAND=true ISTIO_META_DNS_CAPTURE=false LOCAL_XDS={}`

func explain(t *testing.T, environ []string, files map[string]string) map[string]Setting {
	t.Helper()
	if files == nil {
		files = map[string]string{}
	}
	files[resolverFile] = "nameserver 10.0.0.1\n"
	all, err := Explain(environ, nil, host(8, files))
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]Setting{}
	for _, s := range all {
		if _, twice := by[s.Name]; twice {
			t.Errorf("%s is there twice", s.Name)
		}
		by[s.Name] = s
	}
	return by
}

// Every variable shows the value that it was given, and that the environment gave it.
func TestEveryVariableIsExplained(t *testing.T) {
	for _, list := range []string{specified, elsewhere} {
		environ := strings.Fields(list)
		by := explain(t, environ, nil)
		for _, entry := range environ {
			name, want, _ := strings.Cut(entry, "=")
			got := by[name]
			if name == "LOCAL_XDS" {
				want = hidden
			}
			if !sameValue(want, got.Value) || !got.Set || got.Source != FromEnvironment || got.Ignored != "" {
				t.Errorf("%s: got %+v", entry, got)
			}
		}
	}
	named := specified + elsewhere
	for _, v := range variables {
		field := v.name == fieldAdminPort || v.name == fieldStatsPort
		if !field && !strings.Contains(named, v.name+"=") {
			t.Errorf("no test gives %s a value", v.name)
		}
	}
}

// sameValue compares durations as such.
func sameValue(want, got string) bool {
	a, err1 := ParseDuration(want)
	b, err2 := ParseDuration(got)
	return want == got || err1 == nil && err2 == nil && a == b
}

// What is printed, set in the environment, makes the same configuration.
func TestExplainedSettingsMakeTheSameConfiguration(t *testing.T) {
	for _, environ := range [][]string{
		nil, strings.Fields(specified),
		{"TERMINATION_GRACE_PERIOD_SECONDS=30", "KUBERNETES_SERVICE_HOST=x", "CLUSTER_ID=c"},
		{"ZTUNNEL_CPU_LIMIT=64", "KEEPALIVE_TIME=1500us", "POOL_UNUSED_RELEASE_TIMEOUT=1ns"},
	} {
		want := load(t, environ...)
		var again []string
		for name, s := range explain(t, environ, nil) {
			if s.Set && s.Ignored == "" {
				again = append(again, name+"="+s.Value)
			}
		}
		got := load(t, again...)
		if diff := cmp.Diff(dumped(t, want), dumped(t, got), cmpopts.IgnoreMapEntries(func(k string, _ any) bool {
			return k == "proxyMetadata" // the three that have a default are told to istiod when they are set
		})); diff != "" {
			t.Errorf("%v (-want +got):\n%s", environ, diff)
		}
	}
}

func TestSources(t *testing.T) {
	mesh := map[string]string{meshConfigFile: `defaultConfig:
  discoveryAddress: mesh:1
  statsPort: 1
  concurrency: 4
  proxyMetadata: {ISTIO_META_DNS_CAPTURE: "true", OTHER: x}
`}
	tests := []struct {
		environ []string
		files   map[string]string
		name    string
		want    Setting
	}{
		{nil, nil, "PACKET_MARK", Setting{Value: "1337", Set: true, Source: FromDefault}},
		{nil, nil, "NODE_NAME", Setting{Source: FromDefault}},
		{nil, nil, "CONNECTION_TERMINATION_DEADLINE", Setting{Value: "5s", Set: true, Source: FromDefault}},
		{
			[]string{"TERMINATION_GRACE_PERIOD_SECONDS=30"},
			nil,
			"CONNECTION_TERMINATION_DEADLINE",
			Setting{Value: "25s", Set: true, Source: "TERMINATION_GRACE_PERIOD_SECONDS"},
		},
		{[]string{"CLUSTER_ID=x"}, nil, "ISTIO_META_CLUSTER_ID", Setting{Value: "x", Set: true, Source: "CLUSTER_ID"}},
		{
			[]string{"KUBERNETES_SERVICE_HOST=x"},
			nil, "XDS_ADDRESS",
			Setting{Value: defaultClusterIstiod, Set: true, Source: "KUBERNETES_SERVICE_HOST"},
		},
		{
			[]string{"ZTUNNEL_RESOURCE_CPU_LIMIT=3"},
			nil, "ZTUNNEL_WORKER_THREADS",
			Setting{Value: "3", Set: true, Source: "ZTUNNEL_RESOURCE_CPU_LIMIT"},
		},
		{nil, mesh, "XDS_ADDRESS", Setting{Value: "https://mesh:1", Set: true, Source: fromMeshFile + " discoveryAddress"}},
		{nil, mesh, "ZTUNNEL_WORKER_THREADS", Setting{Value: "4", Set: true, Source: fromMeshFile + " concurrency"}},
		{nil, mesh, "statsPort", Setting{Value: "1", Set: true, Source: fromMeshFile}},
		{nil, mesh, "ISTIO_META_DNS_CAPTURE", Setting{Value: "true", Set: true, Source: fromMeshFile}},
		{nil, mesh, "ISTIO_META_OTHER", Setting{Value: "x", Set: true, Source: fromMeshFile}},
		{
			[]string{"PROXY_CONFIG={statsPort: 2, proxyMetadata: {DNS_CAPTURE: 'true'}}"},
			mesh, "statsPort",
			Setting{Value: "2", Set: true, Source: fromProxyConfig},
		},
		{
			[]string{"PROXY_CONFIG={proxyMetadata: {DNS_CAPTURE: 'true'}}"},
			mesh, "ISTIO_META_DNS_CAPTURE",
			Setting{Value: "true", Set: true, Source: fromProxyConfig},
		},
		{[]string{"XDS_ADDRESS="}, mesh, "XDS_ADDRESS", Setting{Set: true, Source: FromEnvironment}},
		{
			[]string{"XDS_HEADER_A=secret"},
			nil, "XDS_HEADER_a",
			Setting{Value: hidden, Set: true, Source: FromEnvironment},
		},
		{[]string{"AUTH_TOKEN=secret"}, nil, "AUTH_TOKEN", Setting{Value: hidden, Set: true, Source: FromEnvironment}},
		{[]string{"CA_ROOT_CA=secret"}, nil, "CA_ROOT_CA", Setting{Value: hidden, Set: true, Source: FromEnvironment}},
		{
			[]string{"OTEL_EXPORTER_OTLP_HEADERS=a=secret"},
			nil, "OTEL_EXPORTER_OTLP_HEADERS",
			Setting{Value: hidden, Set: true, Source: FromEnvironment},
		},
		{
			[]string{"INPOD_ENABLED=true"},
			nil, "INPOD_ENABLED",
			Setting{Value: "true", Set: true, Source: FromEnvironment, Ignored: unread["INPOD_ENABLED"]},
		},
		{
			[]string{"FAKE_CA=true", "CA_ADDRESS=x:1"},
			nil, "CA_ADDRESS",
			Setting{Source: FromEnvironment, Ignored: "without effect beside the other settings"},
		},
		{[]string{"GOMEMLIMIT=1GiB"}, nil, "GOMEMLIMIT", Setting{Value: "1GiB", Set: true, Source: FromEnvironment}},
	}
	for _, tt := range tests {
		tt.want.Name = tt.name
		if diff := cmp.Diff(tt.want, explain(t, tt.environ, tt.files)[tt.name]); diff != "" {
			t.Errorf("%v %s (-want +got):\n%s", tt.environ, tt.name, diff)
		}
	}
}

func TestExplainAlsoWhatCannotBeUsed(t *testing.T) {
	all, err := Explain([]string{"ENABLE_PROXY=yes"}, nil, host(2, nil))
	if err == nil || len(all) < len(variables) {
		t.Errorf("%d settings, %v", len(all), err)
	}
}

func TestWriteSettings(t *testing.T) {
	var text strings.Builder
	err := WriteSettings(&text, []Setting{
		{Name: "A", Value: "b", Set: true, Source: FromDefault},
		{Name: "LONGER", Source: FromDefault},
		{Name: "C", Value: "x\ny", Set: true, Source: FromEnvironment, Ignored: "why"},
	})
	want := "A=b              default\nLONGER is unset  default\nC=\"x\\ny\"         environment, why\n"
	if err != nil || text.String() != want {
		t.Errorf("got %v\n%s", err, &text)
	}
}

func TestKnown(t *testing.T) {
	for _, entry := range append(strings.Fields(specified+" "+elsewhere), "CLUSTER_ID", "KUBERNETES_SERVICE_HOST", "ZTUNNEL_CPU_LIMIT",
		"ZTUNNEL_RESOURCE_CPU_LIMIT", "ZTUNNEL_RESOURCE_CPU_REQUEST", "TERMINATION_GRACE_PERIOD_SECONDS", "PROXY_CONFIG", "XDS_HEADER_a",
		"CA_HEADER_b", "OTEL_SERVICE_NAME", "GOGC") {
		name, _, _ := strings.Cut(entry, "=")
		if ignored, ok := Known(name); !ok || ignored != "" {
			t.Errorf("%s: %v, %q", name, ok, ignored)
		}
	}
	if ignored, ok := Known("RUST_BACKTRACE"); !ok || ignored == "" {
		t.Error("RUST_BACKTRACE has no reason")
	}
	if _, ok := Known("ENABLE_PROXI"); ok {
		t.Error("ENABLE_PROXI is known")
	}
}
