package inpod

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/cniagent"
)

// manyEnv is how many pods TestManyPods starts: `task pods` says 500. The ordinary run has a few.
const manyEnv = "TROUPE_PODS"

// TestManyPods starts a proxy on a node that has many pods, and tells how long it takes and what a pod costs. What it holds
// against the proxy is that each pod is answered within the agent's patience, that threads don't grow with pods, and that
// everything is let go when they go.
func TestManyPods(t *testing.T) {
	count := 20
	if set, err := strconv.Atoi(os.Getenv(manyEnv)); err == nil {
		count = set
	}
	w := newWorld(t)
	w.start()
	n := w.nodes[localNode]
	before := n.proxy.Cost()
	pods := make([]cniagent.Pod, count)
	for i := range pods {
		name := fmt.Sprintf("pod-%d", i)
		pods[i] = cniagent.Pod{UID: "uid-" + name, Name: name, Namespace: namespace, ServiceAccount: name, NetNS: w.lab.Bare(name).File()}
	}
	began, slowest := time.Now(), time.Duration(0)
	for _, p := range pods {
		one := time.Now()
		if err := n.agent.Add(p); err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		slowest = max(slowest, time.Since(one))
	}
	took := time.Since(began)
	n.proxy.ExpectSum("workload_manager_active_proxy_count", nil, float64(count))
	after := n.proxy.Cost()
	t.Logf("%d pods one by one: %v in all, %v each, %v the slowest", count, took.Round(time.Millisecond), (took / time.Duration(count)).Round(time.Microsecond), slowest.Round(time.Microsecond))
	t.Logf("a pod costs %d KiB of memory, %.1f descriptors, %.2f goroutines; threads: %d before, %d with the pods",
		(after.KiB-before.KiB)/count, float64(after.Descriptors-before.Descriptors)/float64(count),
		(after.Goroutines-before.Goroutines)/float64(count), before.Threads, after.Threads)
	if grown := after.Threads - before.Threads; grown > 10 {
		t.Errorf("%d threads more for %d pods", grown, count)
	}

	n.proxy.Kill()
	began = time.Now()
	w.launch(n)
	n.proxy.WaitReady()
	t.Logf("a new process is ready with all %d pods after %v", count, time.Since(began).Round(time.Millisecond))
	n.proxy.ExpectSum("workload_manager_active_proxy_count", nil, float64(count))

	for _, p := range pods {
		if err := n.agent.Delete(p.UID); err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
	}
	n.proxy.ExpectSum("workload_manager_active_proxy_count", nil, 0)
	eventually(t, "the pods' descriptors are let go", func() bool { return n.proxy.Cost().Descriptors <= before.Descriptors+5 })
}
