package istiod

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/grpcdial"
	"github.com/troupe-mesh/troupe/transport/wire/workload"
)

// serveEnv makes the test binary a server of so many workloads: what a proxy needs is measured in a process without it.
const serveEnv = "TROUPE_ISTIOD_WORKLOADS"

// greeting is what the serving process says.
type greeting struct{ Address, Roots string }

// mesh is n workloads, a service for every ten of them, as istiod describes pods.
func mesh(n int) *World {
	w := NewWorld()
	all := pods(n)
	services := make([]*workload.Service, 0, n/10)
	for i, p := range all {
		name := fmt.Sprint("app-", i/10)
		host := name + ".ns.svc.cluster.local"
		p.WorkloadName, p.CanonicalName, p.CanonicalRevision = name, name, "latest"
		p.Node = fmt.Sprint("node-", i%500)
		p.Services = map[string]*workload.PortList{"ns/" + host: {Ports: []*workload.Port{{ServicePort: 80, TargetPort: 8080}}}}
		if i%10 == 0 {
			s := app()
			s.Name, s.Hostname = name, host
			s.Addresses[0].Address = []byte{10, 128 + byte(i/10>>16), byte(i / 10 >> 8), byte(i / 10)}
			services = append(services, s)
		}
	}
	w.Change(func(c *Change) {
		c.Workload(all...)
		c.Service(services...)
	})
	return w
}

func serveMany() int {
	n, err := strconv.Atoi(os.Getenv(serveEnv))
	if err != nil {
		return 2
	}
	s, err := Start(Options{World: mesh(n)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(greeting{s.URL(), s.Roots()}); err != nil {
		return 1
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent goes
	s.Stop()
	return 0
}

// The first push of a big mesh: how long until the doors open, and how much memory that takes (CP12, CP13, CP17).
// TROUPE_SCALE=full has 100,000 workloads.
func TestBigPush(t *testing.T) {
	n := 2000
	if os.Getenv("TROUPE_SCALE") == "full" {
		n = 100_000
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(self)
	server.Env = append(os.Environ(), serveEnv+"="+strconv.Itoa(n))
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = stdin.Close()
		_ = server.Wait()
	}()
	var hello greeting
	if err := json.NewDecoder(stdout).Decode(&hello); err != nil {
		t.Fatal(err)
	}
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o600) // else the peak may be an earlier test's
	before := memory(t, "VmRSS")
	began := time.Now()
	p := driveAt(t, hello.Address, hello.Roots)
	p.awaitSync()
	took, peak := time.Since(began), memory(t, "VmHWM")
	dumped := ask[*messages.WorkloadsDumped](p, p.workloads, &messages.DumpState{})
	if len(dumped.Workloads) != n {
		t.Errorf("%d workloads, want %d", len(dumped.Workloads), n)
	}
	services := ask[*messages.ServicesDumped](p, p.services, &messages.DumpState{}).Services
	if len(services) != n/10 || len(services[0].Endpoints) != 10 {
		t.Errorf("%d services, the first with %d endpoints", len(services), len(services[0].Endpoints))
	}
	runtime.GC()
	var heap runtime.MemStats
	runtime.ReadMemStats(&heap)
	t.Logf("%d workloads, %d services, %d MiB of resources: in sync after %s; resident %d MiB before, %d MiB at the peak; live heap after %d MiB",
		n, n/10, p.counters.Bytes[0].Load()>>20, took.Round(time.Millisecond), before>>10, peak>>10, heap.HeapAlloc>>20)
	if limit := 64<<10 + n*6; peak-before > limit { // 6 KiB a workload
		t.Errorf("it took %d KiB more, want at most %d", peak-before, limit)
	}
}

// memory is a value of /proc/self/status in KiB.
func memory(t *testing.T, key string) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return kib
		}
	}
	t.Fatalf("no %s", key)
	return 0
}

func driveAt(t *testing.T, address, roots string) *proxy {
	t.Helper()
	return driveWith(t, func(c *grpcdial.Config, _ *discovery.Control) { c.Address, c.Roots.PEM = address, roots })
}
