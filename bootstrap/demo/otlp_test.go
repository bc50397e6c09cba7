package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// receiver takes OTLP by HTTP and by gRPC, and keeps node and name of every span by trace.
type receiver struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans map[string][]string
}

// Export takes spans by gRPC.
func (r *receiver) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range request.ResourceSpans {
		node := ""
		for _, a := range of.Resource.Attributes {
			if a.Key == "k8s.node.name" {
				node = a.Value.GetStringValue()
			}
		}
		for _, scope := range of.ScopeSpans {
			for _, span := range scope.Spans {
				id := fmt.Sprintf("%x", span.TraceId)
				r.spans[id] = append(r.spans[id], node+" "+span.Name)
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	message := &collector.ExportTraceServiceRequest{}
	if err != nil || proto.Unmarshal(body, message) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_, _ = r.Export(request.Context(), message)
	w.Header().Set("Content-Type", "application/x-protobuf") // an empty answer is a good one
}

// serve offers the receiver by a protocol and returns its endpoint.
func (r *receiver) serve(t *testing.T, protocol string) string {
	t.Helper()
	if protocol == "http/protobuf" {
		server := httptest.NewServer(r)
		t.Cleanup(server.Close)
		return server.URL
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, r)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	t.Cleanup(func() {
		server.Stop()
		<-ended
	})
	return "http://" + l.Addr().String()
}

func TestTracesGoToACollectorAsWell(t *testing.T) {
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Run(protocol, func(t *testing.T) {
			r := &receiver{spans: map[string][]string{}}
			environ := []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + r.serve(t, protocol), "OTEL_EXPORTER_OTLP_PROTOCOL=" + protocol}
			if err := run(limited(t), Options{Out: io.Discard, Environ: environ}, newWorld(), calls()); err != nil {
				t.Fatal(err)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			shared := 0
			for _, spans := range r.spans {
				if slices.Contains(spans, "node-a outbound") && slices.Contains(spans, "node-b CONNECT") {
					shared++
				}
			}
			if shared != len(calls()) {
				t.Errorf("%d traces span both nodes, want %d: %v", shared, len(calls()), r.spans)
			}
		})
	}
}

func TestADeadCollectorHurtsNobody(t *testing.T) {
	t.Parallel()
	// A reserved port that nobody listens on refuses at once; a listener that never answers is the worst case.
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		for name, endpoint := range map[string]string{"refusing": "http://127.0.0.1:1", "silent": "http://" + silent.Addr().String()} {
			t.Run(protocol+" "+name, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				environ := []string{
					"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL=" + protocol,
					// The SDK leaves an export under way behind when it must end before: let it give up in time.
					"OTEL_EXPORTER_OTLP_TIMEOUT=1000", "OTEL_BSP_EXPORT_TIMEOUT=1000",
				}
				if err := run(limited(t), Options{Out: io.Discard, Environ: environ}, newWorld(), calls()); err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("it took %v", took)
				}
			})
		}
	}
}
