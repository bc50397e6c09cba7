package scale

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/e2e/stores"
	"github.com/troupe-mesh/troupe/messages"
)

const chunk = 500

// bytesPerWorkload bounds the memory of one workload with its strings, its place in every index and a tenth of a service.
const bytesPerWorkload = 3400

// size is how many workloads the big cluster has.
func size() int {
	if os.Getenv("TROUPE_SCALE") == "full" {
		return 100_000
	}
	return 10_000
}

// cluster is stores that hold n workloads and a tenth as many services.
type cluster struct {
	*stores.Stores
	n int
}

func start(t *testing.T, n int) *cluster {
	t.Helper()
	s, err := stores.Start(rand.New(rand.NewPCG(1, 2)), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &cluster{s, n}
}

// asker fails the test by itself.
type asker struct {
	*stores.Asker
	t *testing.T
}

func (c *cluster) asker(t *testing.T) asker {
	t.Helper()
	a, err := c.NewAsker()
	if err != nil {
		t.Fatal(err)
	}
	return asker{a, t}
}

func (c *cluster) services() int { return c.n / endpointsPerService }

// load delivers everything in chunks, as discovery does.
func (c *cluster) load(a asker) {
	a.t.Helper()
	deliver := func(err error) {
		if err != nil {
			a.t.Fatal(err)
		}
	}
	for at := 0; at < c.n; at += chunk {
		u := &messages.UpdateWorkloads{Reset: at == 0, More: at+chunk < c.n}
		for i := at; i < min(at+chunk, c.n); i++ {
			u.Set = append(u.Set, Workload(i))
		}
		deliver(a.Deliver(c.Workloads, u))
	}
	for at := 0; at < c.services(); at += chunk {
		u := &messages.UpdateServices{Reset: at == 0, More: at+chunk < c.services()}
		for i := at; i < min(at+chunk, c.services()); i++ {
			u.Set = append(u.Set, Service(i))
		}
		deliver(a.Deliver(c.Services, u))
	}
}

// call decides one outbound connection from a pod to a VIP or, for odd ones, to a pod.
func (c *cluster) call(a asker, source *messages.Workload, random *rand.Rand) {
	i := random.IntN(c.n)
	dst := netip.AddrPortFrom(serviceVIP(i%c.services()), 80)
	if i%2 == 1 {
		dst = netip.AddrPortFrom(podIP(i), 8080)
	}
	s, err := a.Run(&route.Outbound{OurNetwork: "network-1", Source: source, Dst: dst, InboundPort: 15008})
	if err != nil {
		a.t.Error(err)
		return
	}
	if s.Request == nil || s.Request.Protocol != messages.OutboundHBONE {
		a.t.Errorf("call to %v: %+v", dst, s)
	}
}

// heap is what is in use after everything unused was collected.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// processorTime is what the process has used so far: unlike the clock it does not depend on the machine's other work.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestABigClusterFits loads a big cluster and reports time and memory. The bound is twice what was measured.
func TestABigClusterFits(t *testing.T) {
	c := start(t, size())
	a := c.asker(t)
	before := heap()
	begun, idle := time.Now(), processorTime(t)
	c.load(a)
	took, worked := time.Since(begun), processorTime(t)-idle
	perWorkload := (heap() - before) / uint64(c.n)
	t.Logf("%d workloads and %d services: loaded in %v (%v of processor time, making them included), %d bytes for each workload",
		c.n, c.services(), took, worked, perWorkload)
	if perWorkload > bytesPerWorkload {
		t.Errorf("%d bytes for each workload, want at most %d", perWorkload, bytesPerWorkload)
	}
	runtime.KeepAlive(c)
}

// TestLatencyIsFlat compares what a decision takes in a small cluster and in a big one, interleaved.
func TestLatencyIsFlat(t *testing.T) {
	small, big := start(t, 1000), start(t, size())
	source := Workload(0).Workload
	best := map[*cluster]time.Duration{}
	askers := map[*cluster]asker{}
	for _, c := range []*cluster{small, big} {
		askers[c] = c.asker(t)
		c.load(askers[c])
	}
	random := rand.New(rand.NewPCG(3, 4))
	const rounds, calls = 15, 2000
	for range rounds {
		for _, c := range []*cluster{small, big} {
			begun := time.Now()
			for range calls {
				c.call(askers[c], source, random)
			}
			if took := time.Since(begun) / calls; best[c] == 0 || took < best[c] {
				best[c] = took
			}
		}
	}
	ratio := float64(best[big]) / float64(best[small])
	t.Logf("a decision takes %v with %d workloads and %v with %d: %.2f times as long", best[small], small.n, best[big], big.n, ratio)
	if ratio > 4 {
		t.Errorf("a decision takes %.2f times as long in the big cluster, want at most 4 times", ratio)
	}
}

// TestAskersAreAnsweredWhileLoading asks all along while a big cluster is loaded into stores that hold a small one.
func TestAskersAreAnsweredWhileLoading(t *testing.T) {
	c := start(t, 1000)
	a, loader := c.asker(t), c.asker(t)
	c.load(a)
	source := Workload(0).Workload
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		for at := 1000; at < size(); at += chunk {
			u := &messages.UpdateWorkloads{}
			for i := at; i < min(at+chunk, size()); i++ {
				u.Set = append(u.Set, Workload(i))
			}
			if err := loader.Deliver(c.Workloads, u); err != nil {
				t.Error(err)
			}
		}
	}()
	random := rand.New(rand.NewPCG(5, 6))
	var took []time.Duration
	for done := false; !done; {
		select {
		case <-loaded:
			done = true
		default:
			begun := time.Now()
			c.call(a, source, random)
			took = append(took, time.Since(begun))
		}
	}
	slices.Sort(took)
	p99, longest := took[len(took)*99/100], took[len(took)-1]
	t.Logf("%d decisions while %d workloads were loaded: p50 %v, p99 %v, longest %v", len(took), size()-1000, took[len(took)/2], p99, longest)
	if p99 > 50*time.Millisecond || longest > 2*time.Second {
		t.Errorf("decisions waited: p99 %v, longest %v", p99, longest)
	}
}

// TestMemoryIsGivenBack removes everything again.
func TestMemoryIsGivenBack(t *testing.T) {
	c := start(t, size())
	a := c.asker(t)
	before := heap()
	c.load(a)
	full := heap() - before
	for _, d := range []struct{ err error }{
		{a.Deliver(c.Services, &messages.UpdateServices{Reset: true})},
		{a.Deliver(c.Workloads, &messages.UpdateWorkloads{Reset: true})},
	} {
		if d.err != nil {
			t.Fatal(d.err)
		}
	}
	if left := int64(heap()) - int64(before); left > int64(full)/3 {
		t.Errorf("%d of %d bytes are still in use after everything was removed", left, full)
	}
	runtime.KeepAlive(c)
}
