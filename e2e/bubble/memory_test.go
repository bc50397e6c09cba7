package bubble_test

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/e2e/bubble"
)

// idleFlows is how many flows a measurement divides by. ownLargest is how many bytes of heap one that is established and
// idle may take in the actors of a node (DESIGN §2), without what the actor library keeps to find it, for which
// libraryLargest is the measure: its tables grow by doubling. The legs are the transport's.
const (
	idleFlows      = 100
	ownLargest     = 3 << 10
	libraryLargest = 2 << 10
)

// held is what lives of what the actors have allocated, by who allocated it.
func held() map[string]int64 {
	runtime.GC()
	runtime.GC()
	records := make([]runtime.MemProfileRecord, 20_000)
	n, ok := runtime.MemProfile(records, false)
	if !ok {
		panic("more allocation sites than expected")
	}
	by := map[string]int64{}
	for _, r := range records[:n] {
		frames := runtime.CallersFrames(r.Stack())
		for {
			f, more := frames.Next()
			switch {
			case strings.Contains(f.Function, "/troupe/transport/"), strings.Contains(f.Function, "/troupe/e2e/"):
				more = false
			case strings.Contains(f.Function, "/troupe/actors/"), strings.Contains(f.Function, "/protoactor-go/"):
				by[fmt.Sprintf("%s:%d", f.Function, f.Line)] += r.InUseBytes()
				more = false
			}
			if !more {
				break
			}
		}
	}
	return by
}

// grown is how much more is held for each flow, and by whom, the largest first.
func grown(before, after map[string]int64, library func(site string) bool) (own, others int64, by []string) {
	type site struct {
		name  string
		bytes int64
	}
	var sites []site
	for name, bytes := range after {
		if more := (bytes - before[name]) / idleFlows; more != 0 {
			short := name[strings.LastIndexByte(name, '/')+1:]
			sites = append(sites, site{short, more})
			if library(short) {
				others += more
			} else {
				own += more
			}
		}
	}
	slices.SortFunc(sites, func(a, b site) int { return cmp.Compare(b.bytes, a.bytes) })
	for _, s := range sites {
		by = append(by, fmt.Sprintf("%5d %s", s.bytes, s.name))
	}
	return own, others, by
}

func TestIdleFlowIsSmall(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector pads allocations")
	}
	library := func(site string) bool { return strings.HasPrefix(site, "actor.") }
	rate := runtime.MemProfileRate
	runtime.MemProfileRate = 1
	defer func() { runtime.MemProfileRate = rate }()
	for name, test := range map[string]struct {
		to     string
		actors int64 // how many nodes' actors there are for a flow
	}{
		"plain": {"10.0.0.3:8080", 1},
		"HBONE": {"10.0.0.2:8080", 2},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				o := bubble.Options{Untraced: true, Pod: func(c *pod.Config) { c.Pool.MaxStreams = 100 }}
				client := w.StartWith("client", o)
				w.StartWith("server", o).Echo("10.0.0.2:8080")
				w.Serve(w.Host("legacy"), "10.0.0.3:8080", bubble.Echo)
				open := func(n int) []*bubble.Conn {
					conns := make([]*bubble.Conn, n)
					for i := range conns {
						conns[i] = client.Dial(test.to)
						conns[i].Say("x")
						conns[i].Hear("x")
					}
					w.Settle()
					return conns
				}
				conns := open(10)
				before := held()
				conns = append(conns, open(idleFlows)...)
				own, others, by := grown(before, held(), library)
				t.Logf("%d bytes on each of %d nodes, and %d in the library", own/test.actors, test.actors, others/test.actors)
				if own > ownLargest*test.actors || others > libraryLargest*test.actors {
					t.Errorf("an idle flow holds %d bytes on each node and %d in the library, want at most %d and %d; held by:\n%s",
						own/test.actors, others/test.actors, ownLargest, libraryLargest, strings.Join(by, "\n"))
				}
				for _, c := range conns {
					_ = c.Close()
				}
			})
		})
	}
}
