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

// One that has gone on afresh has the smallest of stacks.
func TestIdleCarrierHasASmallStack(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as a relay is patient")
	}
	const flows = 150
	tn := startTunnel(t, networks[0].make(), true, hbone.Settings{}, hbone.Settings{})
	tn.open(t).close()
	_, stacks := memoryInUse(true)
	done, idle := make(chan Result, flows), make(chan struct{}, flows)
	for range flows {
		stream, _, err := tn.client.Open(t.Context(), "10.0.0.9:80", nil)
		if err != nil {
			t.Fatal(err)
		}
		client, downstream := connect(t, tn.network)
		acc := <-tn.apps
		go carryAfresh(NewCarrier(downstream, stream, SideDownstream, &Counters{}), func() { idle <- struct{}{} }, done)
		pass(t, client, acc.app)
		defer func() { _, _ = client.Close(), acc.app.Close() }()
	}
	for range flows {
		<-idle
	}
	_, after := memoryInUse(true)
	// The far end's relays never go on afresh here: their stacks stay as they are.
	per := (after - stacks) / flows
	t.Logf("%.0f bytes of stack for both ends", per)
	if per > 7<<10 {
		t.Errorf("both ends together hold %.0f bytes of stack", per)
	}
}
