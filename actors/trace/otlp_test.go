package trace

import (
	"compress/gzip"
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// sink is a collector that takes OTLP by HTTP and by gRPC.
type sink struct {
	collectorpb.UnimplementedTraceServiceServer
	t     *testing.T
	mu    sync.Mutex
	names []string
	token string
}

func (s *sink) take(r *collectorpb.ExportTraceServiceRequest, token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token
	for _, rs := range r.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			for _, span := range ss.Spans {
				s.names = append(s.names, span.Name)
			}
		}
	}
}

func (s *sink) Export(ctx context.Context, r *collectorpb.ExportTraceServiceRequest) (*collectorpb.ExportTraceServiceResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	s.take(r, strings.Join(md.Get("token"), ""))
	return &collectorpb.ExportTraceServiceResponse{}, nil
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	request := &collectorpb.ExportTraceServiceRequest{}
	if err == nil && r.Header.Get("Content-Type") == "application/json" {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body, request)
		body, _ = protojson.Marshal(&collectorpb.ExportTraceServiceResponse{})
	} else if err == nil {
		err = proto.Unmarshal(body, request)
		body, _ = proto.Marshal(&collectorpb.ExportTraceServiceResponse{})
	}
	if err != nil || r.URL.Path != "/v1/traces" {
		s.t.Errorf("request for %s: %v", r.URL.Path, err)
	}
	s.take(request, r.Header.Get("Token"))
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	_, _ = w.Write(body)
}

func TestSpansArriveByEveryProtocol(t *testing.T) {
	for _, protocol := range []string{protocolGRPC, protocolHTTP, protocolJSON} {
		t.Run(protocol, func(t *testing.T) {
			s := &sink{t: t}
			endpoint := serve(t, s, protocol)
			p, err := ProviderFromEnv([]string{
				"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=" + protocol,
				"OTEL_EXPORTER_OTLP_HEADERS=token=secret", "OTEL_TRACES_SAMPLER=always_on",
			}, ProviderOptions{})
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
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if err := n.Shutdown(ctx); err != nil {
				t.Fatal(err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.names) != 1 || s.names[0] != "outbound" || s.token != "secret" {
				t.Errorf("spans %v with token %q arrived", s.names, s.token)
			}
			if got := p.exported.Value(); got != 1 {
				t.Errorf("%d spans counted as exported", got)
			}
		})
	}
}

func TestSpansArriveOverMutualTLS(t *testing.T) {
	s := &sink{t: t}
	server := httptest.NewUnstartedServer(gunzip(s))
	server.StartTLS()
	t.Cleanup(server.Close)
	dir := t.TempDir()
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	pair := server.TLS.Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		certificate: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		key:         {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p, err := ProviderFromEnv([]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + server.URL, "OTEL_EXPORTER_OTLP_CERTIFICATE=" + certificate,
		"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=" + certificate, "OTEL_EXPORTER_OTLP_CLIENT_KEY=" + key,
		"OTEL_EXPORTER_OTLP_COMPRESSION=gzip", "OTEL_TRACES_SAMPLER=always_on",
	}, ProviderOptions{})
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
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := n.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if s.mu.Lock(); len(s.names) != 1 {
		t.Errorf("spans %v arrived, %d failed", s.names, p.failed.Value())
	}
	s.mu.Unlock()
}

// gunzip unpacks requests, all of which must be packed.
func gunzip(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = body
		next.ServeHTTP(w, r)
	})
}

func serve(t *testing.T, s *sink, protocol string) string {
	t.Helper()
	if protocol != protocolGRPC {
		server := httptest.NewServer(s)
		t.Cleanup(server.Close)
		return server.URL
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collectorpb.RegisterTraceServiceServer(server, s)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return "http://" + l.Addr().String()
}
