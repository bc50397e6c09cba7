//go:build !race

package relay

import (
	"io"
	"runtime"
	"testing"

	"github.com/troupe-mesh/troupe/transport/hbone"
)

// memoryInUse is what heap and stacks hold, after a collection or as it is.
func memoryInUse(collect bool) (heap, stacks float64) {
	if collect {
		for range 3 {
			runtime.GC()
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc), float64(m.StackInuse)
}

// An established tunnel that idles holds its stream and one goroutine, at each of its two ends.
func TestIdleTunnelIsSmall(t *testing.T) {
	const flows = 200
	tn := startTunnel(t, networks[0].make(), true, hbone.Settings{}, hbone.Settings{})
	tn.open(t).close()
	all := make([]*flow, 0, flows)
	heap, stacks := memoryInUse(true)
	p := make([]byte, 1)
	for range flows {
		f := tn.open(t)
		all = append(all, f)
		for _, way := range [][2]io.ReadWriter{{f.client, f.server}, {f.server, f.client}} {
			if _, err := way[0].Write(p); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(way[1], p); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, raw := memoryInUse(false)
	heapAfter, stacksAfter := memoryInUse(true)
	perHeap, perStack := (heapAfter-heap)/(2*flows), (stacksAfter-stacks)/(2*flows)
	t.Logf("per end: %.0f bytes of heap with both sockets, %.0f of stack (%.0f before collection)", perHeap, perStack, (raw-stacks)/(2*flows))
	if perHeap > 3<<10 || perStack > 6<<10 {
		t.Errorf("an idle end holds %.0f bytes of heap and %.0f of stack", perHeap, perStack)
	}
	for _, f := range all {
		f.close()
	}
}
