package jaeger

import (
	"bytes"
	"context"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/product"
)

const (
	readyLimit = 20 * time.Second
	endLimit   = 20 * time.Second
)

// process is a node as a process of its own.
type process struct {
	t     *testing.T
	node  node
	cmd   *exec.Cmd
	out   bytes.Buffer // read once the process has ended
	ended chan struct{}
}

// startProcesses builds the product and starts both nodes, and the application. They end with the test, and end well.
func startProcesses(t *testing.T, environ []string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "troupe")
	if err := product.Build(binary); err != nil {
		t.Fatal(err)
	}
	app, err := startApplication(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(app.stop)
	caDir := t.TempDir()
	var all []*process
	for _, n := range nodes {
		p := &process{t: t, node: n, ended: make(chan struct{})}
		p.cmd = exec.Command(binary, "proxy")
		p.cmd.Env = slices.Concat(n.environ(caDir), environ)
		p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := p.cmd.Start(); err != nil {
			t.Fatalf("start the proxy of %s: %v", n.name, err)
		}
		go func() {
			defer close(p.ended)
			_ = p.cmd.Wait() // the exit code is read from ProcessState
		}()
		t.Cleanup(p.stop)
		all = append(all, p)
	}
	for _, p := range all {
		if !eventually(readyLimit, func() bool { return p.hasEnded() || p.ready() }) || p.hasEnded() {
			t.Fatalf("the proxy of %s did not become ready", p.node.name)
		}
	}
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) ready() bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	url := "http://" + netip.AddrPortFrom(p.node.ip, readinessPort).String() + "/healthz/ready"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := api.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (p *process) stop() {
	api.CloseIdleConnections() // a page that is being looked at would hold up the end
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if !eventually(endLimit, p.hasEnded) {
		p.t.Errorf("the proxy of %s does not end; killed", p.node.name)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("the proxy of %s ended with code %d, want 0", p.node.name, code)
	}
	if p.t.Failed() {
		p.t.Logf("the proxy of %s said\n%s", p.node.name, p.out.String())
	}
}
