package trace

import (
	"errors"
	"io"
	"maps"
	"slices"
	"testing"
	"time"
)

// settings reads variables as ProviderFromEnv does, without making anything.
func settings(env ...string) (*ProviderOptions, *environ) {
	e := newEnviron(env)
	o := &ProviderOptions{}
	o.readSampler(e)
	o.readBatch(e)
	return o, e
}

func TestSamplerFromEnv(t *testing.T) {
	for _, tt := range []struct {
		sampler, arg string
		ratio        float64
		ignore       bool
	}{
		{"", "", DefaultRatio, false},
		{"", "0.5", 0.5, false},
		{"always_on", "", 1, true},
		{"always_off", "0.5", 0, true},
		{"traceidratio", "0.25", 0.25, true},
		{"traceidratio", "", 1, true},
		{"parentbased_always_on", "", 1, false},
		{"parentbased_always_off", "", 0, false},
		{"parentbased_traceidratio", "0.1", 0.1, false},
	} {
		o, e := settings("OTEL_TRACES_SAMPLER="+tt.sampler, "OTEL_TRACES_SAMPLER_ARG="+tt.arg)
		if e.err != nil || o.Ratio != tt.ratio || o.IgnoreParents != tt.ignore {
			t.Errorf("%s %s: ratio %v, ignoring parents %v, %v", tt.sampler, tt.arg, o.Ratio, o.IgnoreParents, e.err)
		}
	}
}

func TestBatchFromEnv(t *testing.T) {
	o, e := settings("OTEL_BSP_SCHEDULE_DELAY=200", "OTEL_BSP_EXPORT_TIMEOUT=3000", "OTEL_BSP_MAX_QUEUE_SIZE=100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE=50")
	if e.err != nil || o.BatchDelay != 200*time.Millisecond || o.ExportTimeout != 3*time.Second || o.SpanQueue != 100 || o.Batch != 50 {
		t.Errorf("%+v, %v", o, e.err)
	}
}

func TestDestinationFromEnv(t *testing.T) {
	tests := []struct {
		env      []string
		protocol string
		endpoint string
	}{
		{nil, protocolHTTP, "http://localhost:4318/v1/traces"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318"}, protocolHTTP, "http://c:4318/v1/traces"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://c/base/"}, protocolHTTP, "https://c/base/v1/traces"},
		{[]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4318/here"}, protocolHTTP, "http://c:4318/here"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4317"}, protocolGRPC, "http://c:4317"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=c:4317"}, protocolGRPC, "https://c:4317"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=c:4317", "OTEL_EXPORTER_OTLP_INSECURE=true"}, protocolGRPC, "http://c:4317"},
		{[]string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, protocolGRPC, "http://localhost:4317"},
		{[]string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/json"}, protocolJSON, "http://localhost:4318/v1/traces"},
	}
	for _, tt := range tests {
		e := newEnviron(tt.env)
		d := e.destination()
		if e.err != nil {
			t.Errorf("%v: %v", tt.env, e.err)
			continue
		}
		if d.protocol != tt.protocol || d.endpoint.String() != tt.endpoint {
			t.Errorf("%v: %s %s, want %s %s", tt.env, d.protocol, d.endpoint, tt.protocol, tt.endpoint)
		}
	}
	e := newEnviron([]string{
		"OTEL_EXPORTER_OTLP_HEADERS=a=b, c=d%20e", "OTEL_EXPORTER_OTLP_TIMEOUT=1500", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip",
	})
	d := e.destination()
	if e.err != nil || !maps.Equal(d.headers, map[string]string{"a": "b", "c": "d e"}) || d.timeout != 1500*time.Millisecond || !d.gzip {
		t.Errorf("%+v, %v", d, e.err)
	}
}

func TestBadVariablesAreRefusedByName(t *testing.T) {
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318"
	for _, tt := range []struct {
		name, value string
		with        []string
	}{
		{"OTEL_SDK_DISABLED", "yes", nil},
		{"OTEL_TRACES_EXPORTER", "zipkin", nil},
		{"OTEL_TRACES_EXPORTER", "otlp,none", nil},
		{"OTEL_TRACES_SAMPLER", "jaeger_remote", nil},
		{"OTEL_TRACES_SAMPLER_ARG", "2", nil},
		{"OTEL_TRACES_SAMPLER_ARG", "NaN", nil},
		{"OTEL_TRACES_SAMPLER_ARG", "much", []string{"OTEL_TRACES_SAMPLER=traceidratio"}},
		{"OTEL_BSP_SCHEDULE_DELAY", "-1", nil},
		{"OTEL_BSP_EXPORT_TIMEOUT", "5s", nil},
		{"OTEL_BSP_MAX_QUEUE_SIZE", "0", nil},
		{"OTEL_BSP_MAX_QUEUE_SIZE", "99999999999", nil},
		{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100", []string{"OTEL_BSP_MAX_QUEUE_SIZE=10"}},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", nil},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://", nil},
		{"OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://c", []string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}},
		{"OTEL_EXPORTER_OTLP_PROTOCOL", "thrift", []string{endpoint}},
		{"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "ten", []string{endpoint}},
		{"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", []string{endpoint}},
		{"OTEL_EXPORTER_OTLP_HEADERS", "token", []string{endpoint}},
		{"OTEL_EXPORTER_OTLP_HEADERS", "a=%zz", []string{endpoint}},
		{"OTEL_EXPORTER_OTLP_INSECURE", "1", []string{endpoint}},
		{"OTEL_EXPORTER_OTLP_CERTIFICATE", "testdata/none.pem", []string{endpoint}},
		{"OTEL_EXPORTER_OTLP_CLIENT_KEY", "testdata/none.pem", []string{endpoint}},
		{"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "testdata/none.pem", []string{endpoint}},
		{"OTEL_RESOURCE_ATTRIBUTES", "a", []string{endpoint}},
	} {
		_, err := providerFromEnv(append(tt.with, tt.name+"="+tt.value), ProviderOptions{}, io.Discard)
		var bad *EnvError
		if !errors.As(err, &bad) || bad.Name != tt.name || bad.Value != tt.value || bad.Want == "" {
			t.Errorf("%s=%s: error %v", tt.name, tt.value, err)
		}
	}
}

func TestARefusalSaysNameValueAndRemedy(t *testing.T) {
	_, err := ProviderFromEnv([]string{"OTEL_TRACES_SAMPLER_ARG=lots"}, ProviderOptions{})
	const want = `environment variable OTEL_TRACES_SAMPLER_ARG="lots": want a number from 0 to 1`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTracingIsOffUnlessAskedFor(t *testing.T) {
	for _, env := range [][]string{
		nil,
		{"OTEL_SERVICE_NAME=x"},
		{"OTEL_TRACES_EXPORTER=none", "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318"},
		{"OTEL_SDK_DISABLED=true", "OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT="},
		{"PATH=/bin", "NONSENSE"},
	} {
		p, err := ProviderFromEnv(env, ProviderOptions{})
		if p != nil || err != nil {
			t.Errorf("%v: %v, %v", env, p, err)
		}
	}
}

func TestTheResourceComesFromEnvAndBase(t *testing.T) {
	spans := &collector{}
	p, err := ProviderFromEnv([]string{"OTEL_RESOURCE_ATTRIBUTES=k8s.node.name=n1,service.name=lost", "OTEL_SERVICE_NAME=mesh"},
		ProviderOptions{Direct: []Exporter{spans}, Ratio: 1, Resource: map[string]string{"k8s.pod.name": "p", "k8s.node.name": "n0"}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(Options{Provider: p})
	if err != nil {
		t.Fatal(err)
	}
	r := outboundRecord()
	n.Start(r)
	n.EarlyDenied(r)
	if err := n.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, kv := range spans.take()[0].Resource().Attributes() {
		got = append(got, string(kv.Key)+"="+kv.Value.String())
	}
	if want := []string{"k8s.node.name=n1", "k8s.pod.name=p", "service.name=mesh"}; !slices.Equal(got, want) {
		t.Errorf("resource %v, want %v", got, want)
	}
}
