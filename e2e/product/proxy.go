package product

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/lab"
	"github.com/troupe-mesh/troupe/e2e/mesh"
)

// The bounds of what a test waits for.
const (
	readyLimit = 15 * time.Second
	stopLimit  = 20 * time.Second
	seeLimit   = 10 * time.Second
	pollEvery  = 20 * time.Millisecond
)

// Config says how to start a proxy.
type Config struct {
	Name      string         // in the test's output
	Namespace *lab.Namespace // where it runs
	Workload  string         // namespace/name/service account
	Node      string         // NODE_NAME; empty leaves it unset
	Mesh      mesh.Config
	CADir     string            // FAKE_CA_DIR, shared by the proxies of a test
	Env       map[string]string // over the defaults; an empty value unsets
}

// Proxy is a running troupe process.
type Proxy struct {
	tb      testing.TB
	name    string
	ns      *lab.Namespace
	cmd     *exec.Cmd
	log     *log
	ended   chan struct{} // closed when the process has ended
	stopped bool          // the test has seen to its end
}

// Start starts a proxy and waits until it is ready.
func Start(tb testing.TB, c Config) *Proxy {
	tb.Helper()
	p := Launch(tb, c)
	p.WaitReady()
	return p
}

// Launch starts a proxy and doesn't wait.
func Launch(tb testing.TB, c Config) *Proxy {
	tb.Helper()
	binary := os.Getenv(binaryEnv)
	if binary == "" {
		tb.Fatalf("%s isn't set: TestMain doesn't call product.Main", binaryEnv)
	}
	p := &Proxy{tb: tb, name: c.Name, ns: c.Namespace, log: newLog(), ended: make(chan struct{})}
	p.cmd = exec.Command(binary, "proxy")
	p.cmd.Env = environment(c)
	p.cmd.Dir = tb.TempDir()
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Namespace.StartProcess(p.cmd); err != nil {
		tb.Fatalf("starting proxy %s: %v", c.Name, err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // the exit code is read from ProcessState
	}()
	tb.Cleanup(p.cleanup)
	return p
}

func environment(c Config) []string {
	vars := map[string]string{
		"PATH":                   os.Getenv("PATH"),
		"HOME":                   os.Getenv("HOME"),
		"PROXY_MODE":             "dedicated",
		"PROXY_WORKLOAD_INFO":    c.Workload,
		"LOCAL_XDS":              c.Mesh.YAML(),
		"FAKE_CA":                "true",
		"FAKE_CA_DIR":            c.CADir,
		"XDS_ADDRESS":            "",
		"NODE_NAME":              c.Node,
		"PACKET_MARK":            "1337",
		"ENABLE_ORIG_SRC":        "true",
		"LOG_FORMAT":             "json",
		"ISTIO_META_DNS_CAPTURE": "false",
		"GORACE":                 "halt_on_error=1 exitcode=66 atexit_sleep_ms=0",
	}
	for name, value := range c.Env {
		vars[name] = value
	}
	env := make([]string, 0, len(vars))
	for name, value := range vars {
		if value != "" || name == "XDS_ADDRESS" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// Signal sends the process a signal.
func (p *Proxy) Signal(signal syscall.Signal) {
	p.tb.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.tb.Fatalf("proxy %s: sending %v: %v", p.name, signal, err)
	}
}

// Stop asks the proxy to stop, waits, and wants exit code 0.
func (p *Proxy) Stop() {
	p.tb.Helper()
	p.Signal(syscall.SIGTERM)
	if code := p.Wait(stopLimit); code != 0 {
		p.tb.Errorf("proxy %s: exit code %d after SIGTERM, want 0", p.name, code)
	}
}

// Wait waits for the process to end and returns its exit code. If it takes longer than limit the test fails.
func (p *Proxy) Wait(limit time.Duration) int {
	p.tb.Helper()
	p.stopped = true
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.tb.Errorf("proxy %s: still running after %v; killed", p.name, limit)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	return p.cmd.ProcessState.ExitCode()
}

// Kill ends the process at once, as a crash would.
func (p *Proxy) Kill() {
	p.tb.Helper()
	p.stopped = true
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Ended reports whether the process has ended.
func (p *Proxy) Ended() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *Proxy) cleanup() {
	if !p.stopped {
		p.Stop()
	}
	if p.tb.Failed() {
		p.tb.Logf("proxy %s said at last:\n%s", p.name, p.log.tail(80))
	}
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
