package jaeger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The variables that say whether there must be a Jaeger, and which.
const (
	requiredEnv = "TROUPE_JAEGER"
	binaryEnv   = "TROUPE_JAEGER_BINARY"
)

// built is where task jaeger puts the binary.
var built = filepath.Join("..", "..", ".cache", "bin", "jaeger")

const (
	backendStart = 30 * time.Second
	backendStop  = 15 * time.Second
	pollEvery    = 50 * time.Millisecond
)

// backend is the Jaeger of all tests of a run, started by the first that asks for it.
type backend struct {
	once sync.Once
	err  error  // why there is none
	skip string // why there need not be any

	cmd   *exec.Cmd
	out   bytes.Buffer // read once the process has ended
	ended chan struct{}
	http  netip.AddrPort
	otlp  netip.AddrPort
	names int // that service has given
}

var shared backend

// backendFor is Jaeger. Without one it skips or fails the test.
func backendFor(t *testing.T) *backend {
	t.Helper()
	shared.once.Do(shared.start)
	if shared.skip != "" {
		t.Skip(shared.skip)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return &shared
}

// start starts Jaeger. A port that was free a moment ago may be taken by then, so it tries more than once.
func (b *backend) start() {
	binary := os.Getenv(binaryEnv)
	if binary == "" {
		binary = built
	}
	if _, err := os.Stat(binary); err != nil {
		reason := fmt.Sprintf("there is no Jaeger to send traces to (%v): build it with task jaeger, or name one with %s", err, binaryEnv)
		if os.Getenv(requiredEnv) == "required" {
			b.err = errors.New(reason)
		} else {
			b.skip = reason
		}
		return
	}
	for range 3 {
		if b.err = b.launch(binary); b.err == nil {
			return
		}
	}
}

func (b *backend) launch(binary string) error {
	ports, err := freePorts(3)
	if err != nil {
		return err
	}
	b.http, b.otlp = ports[0], ports[1]
	b.out.Reset()
	b.ended = make(chan struct{})
	b.cmd = exec.Command(binary, "--config", "jaeger.yaml")
	b.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"JAEGER_HTTP=" + ports[0].String(), "JAEGER_OTLP=" + ports[1].String(), "JAEGER_GRPC=" + ports[2].String(),
	}
	b.cmd.Stdout, b.cmd.Stderr = &b.out, &b.out
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := b.cmd.Start(); err != nil {
		return fmt.Errorf("start Jaeger: %w", err)
	}
	go func() {
		defer close(b.ended)
		_ = b.cmd.Wait() // the exit code is read from ProcessState
	}()
	if !eventually(backendStart, func() bool { return b.hasEnded() || b.ready() }) || b.hasEnded() {
		return errors.Join(errors.New("jaeger did not become ready"), b.stop())
	}
	return nil
}

func (b *backend) ready() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.http.String()+"/api/v3/services", nil)
	if err != nil {
		return false
	}
	response, err := api.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", b.otlp.String())
	if err != nil {
		return false
	}
	_ = c.Close()
	return response.StatusCode == http.StatusOK
}

func (b *backend) hasEnded() bool {
	select {
	case <-b.ended:
		return true
	default:
		return false
	}
}

// stop ends Jaeger, if it was started. It fails with what Jaeger said when it didn't end well.
func (b *backend) stop() error {
	api.CloseIdleConnections()
	if b.cmd == nil || b.cmd.Process == nil {
		return nil
	}
	_ = b.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	if !eventually(backendStop, b.hasEnded) {
		_ = b.cmd.Process.Kill()
		<-b.ended
	}
	code := b.cmd.ProcessState.ExitCode()
	b.cmd = nil
	if code != 0 {
		return fmt.Errorf("jaeger ended with code %d; it said\n%s", code, b.out.String())
	}
	return nil
}

// service is a name under which nobody has exported yet: a test may run more than once, and sees its own traces only.
func (b *backend) service(test string) string {
	b.names++
	return fmt.Sprintf("troupe-%s-%d", test, b.names)
}

// environ makes a proxy export its traces to Jaeger, under the name of a service.
func (b *backend) environ(service, sampler string) []string {
	return []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + b.otlp.String(), "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
		"OTEL_SERVICE_NAME=" + service, "OTEL_TRACES_SAMPLER=" + sampler, "OTEL_BSP_SCHEDULE_DELAY=100",
	}
}

// freePorts are ports of 127.0.0.1 that nobody listens on.
func freePorts(n int) ([]netip.AddrPort, error) {
	var free []netip.AddrPort
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		free = append(free, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return free, nil
}

// eventually looks until ok says true or the limit is over.
func eventually(limit time.Duration, ok func() bool) bool {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for deadline := time.Now().Add(limit); ; <-ticker.C {
		if ok() {
			return true
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}
