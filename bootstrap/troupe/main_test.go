package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// asTroupe makes the test binary be troupe.
const asTroupe = "TROUPE_TEST_AS_TROUPE"

func TestMain(m *testing.M) {
	if os.Getenv(asTroupe) != "" {
		main()
		return
	}
	goleak.VerifyTestMain(m)
}

const (
	endLimit   = 20 * time.Second
	readyLimit = 20 * time.Second
	pollEvery  = 5 * time.Millisecond
)

var addresses atomic.Uint32

// newIP is a loopback address that no other running test uses: the ports of a proxy are fixed.
func newIP() netip.Addr {
	pid, n := os.Getpid(), addresses.Add(1)%254+1
	return netip.AddrFrom4([4]byte{127, byte(192 + pid>>8&31), byte(pid), byte(n)})
}

// environ is the environment of a proxy that works; extra wins.
func environ(ip netip.Addr, extra ...string) []string {
	return append([]string{
		asTroupe + "=1", "PROXY_MODE=dedicated", "PROXY_WORKLOAD_INFO=default/client/default", "TROUPE_BIND_IP=" + ip.String(),
		"XDS_ADDRESS=", "FAKE_CA=true", "ISTIO_META_DNS_CAPTURE=false", "UNSTABLE_ENABLE_SOCKS5=true", "ENABLE_ORIG_SRC=false",
		fmt.Sprintf(`LOCAL_XDS={workloads: [{uid: c, name: client, namespace: default, workloadIps: ["%s"], services: {}}]}`, ip),
		"CONNECTION_TERMINATION_DEADLINE=60s",
	}, extra...)
}

// screen takes a process's output.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// process is a running troupe.
type process struct {
	t        *testing.T
	command  *exec.Cmd
	out, err screen
	ended    chan struct{}
}

func launch(t *testing.T, environ []string, args ...string) *process {
	t.Helper()
	return launchFor(t, 2*endLimit, environ, args...)
}

// launchFor bounds how long the process lives.
func launchFor(t *testing.T, lifetime time.Duration, environ []string, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), lifetime)
	t.Cleanup(cancel)
	p := &process{t: t, command: exec.CommandContext(ctx, os.Args[0], args...), ended: make(chan struct{})}
	p.command.Env, p.command.Dir = environ, t.TempDir()
	p.command.Stdout, p.command.Stderr = &p.out, &p.err
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait() // the exit code is read from ProcessState
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.ended
	})
	return p
}

// code waits for the end and returns the exit code; -1 is an end by a signal.
func (p *process) code() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(endLimit):
		p.t.Fatalf("it did not end within %v:\n%s%s", endLimit, &p.out, &p.err)
	}
	return p.command.ProcessState.ExitCode()
}

func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// await waits until the log says something.
func (p *process) await(text string) {
	p.t.Helper()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for deadline := time.Now().Add(readyLimit); !strings.Contains(p.out.String(), text); <-tick.C {
		if time.Now().After(deadline) || !p.running() {
			p.t.Fatalf("the log never said %q:\n%s%s", text, &p.out, &p.err)
		}
	}
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.command.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

func TestCommands(t *testing.T) {
	busy, err := net.Listen("tcp", netip.AddrPortFrom(newIP(), 15001).String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = busy.Close() }()
	taken := busy.Addr().(*net.TCPAddr).AddrPort().Addr()
	tests := []struct {
		name     string
		args     []string
		environ  []string
		code     int
		out, err string // must stand there; empty means that nothing may
	}{
		{"unknown command", []string{"serve"}, environ(newIP()), 1, "Commands:\n  proxy ", "unknown command: serve\n"},
		{"version", []string{"version"}, []string{asTroupe + "=1", "ISTIO_META_ISTIO_VERSION=1.31.0"}, 0, `IstioVersion:"1.31.0"`, ""},
		{"help", []string{"help"}, []string{asTroupe + "=1"}, 0, "\nTroupe (version.BuildInfo{", ""},
		{"config", []string{"config"}, environ(newIP(), "TERMINATION_GRACE_PERIOD_SECONDS=30"), 0, "\nCONNECTION_TERMINATION_DEADLINE=1m ", ""},
		{"config that is wrong", []string{"config"}, environ(newIP(), "ENABLE_PROXY=yes"), 1, "\nENABLE_PROXY=true ", "Error: invalid env var ENABLE_PROXY=yes ("},
		{"demo with an argument", []string{"demo", "--forever"}, []string{asTroupe + "=1"}, 1, "", "Error: demo: unknown argument \"--forever\"; it takes --keep only\n"},
		{
			"wrong variable",
			[]string{"proxy"},
			environ(newIP(), "ENABLE_PROXY=yes"),
			1, "", "Error: invalid env var ENABLE_PROXY=yes (",
		},
		{"setting for later", nil, environ(newIP(), "LOCAL_FASTPATH=true"), 1, "", "Error: LOCAL_FASTPATH=true is not supported by this version: "},
		{"state with a mistake", nil, environ(newIP(), "LOCAL_XDS=workload: []"), 1, "version.BuildInfo", "Error: local state in LOCAL_XDS is wrong:\n"},
		{"busy port", nil, environ(taken), 1, "version.BuildInfo", "Error: the outbound listener (is another proxy running?): failed to bind to address " + taken.String() + ":15001"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := launch(t, test.environ, test.args...)
			if code := p.code(); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			for stream, is := range map[string]struct{ got, want string }{
				"standard output": {p.out.String(), test.out}, "standard error": {p.err.String(), test.err},
			} {
				if is.want == "" && is.got != "" || !strings.Contains(is.got, is.want) {
					t.Errorf("%s: %q, want %q in it", stream, is.got, is.want)
				}
			}
		})
	}
}

// started is a proxy that is ready.
func started(t *testing.T, ip netip.Addr, args ...string) *process {
	t.Helper()
	p := launch(t, environ(ip), args...)
	p.await("marking server ready")
	return p
}

// visit opens a SOCKS5 connection that the proxy then waits for.
func visit(t *testing.T, ip netip.Addr) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", netip.AddrPortFrom(ip, 15080).String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(endLimit))
	if _, err := conn.Write([]byte{5, 1, 0}); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestSignals(t *testing.T) {
	for name, s := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			p := started(t, newIP())
			p.signal(s)
			if code := p.code(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			for _, want := range []string{"received signal " + name + ", starting shutdown", "shutdown complete"} {
				if !strings.Contains(p.out.String(), want) {
					t.Errorf("the log lacks %q:\n%s", want, &p.out)
				}
			}
			if p.err.String() != "" {
				t.Errorf("standard error: %s", &p.err)
			}
		})
	}
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	ip := newIP()
	p := started(t, ip)
	visit(t, ip)
	p.signal(syscall.SIGINT)
	p.await("received signal SIGINT, starting shutdown")
	p.signal(syscall.SIGINT)
	began := time.Now()
	if code := p.code(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if !strings.Contains(p.out.String(), "Double Ctrl+C, exit immediately") {
		t.Errorf("the log does not say why:\n%s", &p.out)
	}
}

func TestInterruptAfterTermChangesNothing(t *testing.T) {
	ip := newIP()
	p := started(t, ip)
	conn := visit(t, ip)
	p.signal(syscall.SIGTERM)
	p.await("received signal SIGTERM, starting shutdown")
	p.signal(syscall.SIGINT)
	p.signal(syscall.SIGTERM)
	if !p.running() {
		t.Fatal("it ended under an open connection")
	}
	_ = conn.Close()
	if code := p.code(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if strings.Contains(p.out.String(), "Double Ctrl+C") {
		t.Error("it did not drain")
	}
}

func TestArgumentsAfterTheCommandAreShownOnly(t *testing.T) {
	ip := newIP()
	p := started(t, ip, "proxy", "ztunnel")
	if want := "proxyArgs: proxy ztunnel\n"; !strings.Contains(p.out.String(), want) {
		t.Errorf("the log lacks %q:\n%s", want, &p.out)
	}
	p.signal(syscall.SIGTERM)
	if code := p.code(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// broken is a stream that nobody reads any more.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }

func TestOutputThatCannotBeWritten(t *testing.T) {
	var errs strings.Builder
	if code := run([]string{"version"}, broken{}, &errs); code != 1 || !strings.Contains(errs.String(), "Error: ") {
		t.Errorf("exit code %d, %q", code, &errs)
	}
}
