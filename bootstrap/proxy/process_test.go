package proxy

import (
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// keepProcess puts the process's settings back after the test.
func keepProcess(t *testing.T) {
	t.Helper()
	threads := runtime.GOMAXPROCS(0)
	percent := debug.SetGCPercent(100)
	limit := debug.SetMemoryLimit(-1)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(threads)
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
}

func gcPercentNow() int {
	percent := debug.SetGCPercent(100)
	debug.SetGCPercent(percent)
	return percent
}

func TestOwnProcess(t *testing.T) {
	tests := []struct {
		name        string
		own         bool
		environ     []string
		threads, gc int
	}{
		{"ours", true, nil, 3, gcPercent},
		{"Go's variables win", true, []string{"GOMAXPROCS=5", "GOGC=100"}, 5, 100},
		{"empty variables are none", true, []string{"GOMAXPROCS=", "GOGC="}, 3, gcPercent},
		{"shared with others", false, nil, 5, 100},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			keepProcess(t)
			runtime.GOMAXPROCS(5) // as Go would have, had GOMAXPROCS been set so
			w := newWorld(t)
			p := w.startWith(Options{OwnProcess: test.own, Environ: test.environ}, "source", w.source, "ZTUNNEL_WORKER_THREADS=3")
			if got := runtime.GOMAXPROCS(0); got != test.threads {
				t.Errorf("%d threads, want %d", got, test.threads)
			}
			if got := gcPercentNow(); got != test.gc {
				t.Errorf("GOGC is %d, want %d", got, test.gc)
			}
			if told := strings.Contains(p.log.String(), "set file descriptor limits from "); told != test.own {
				t.Errorf("told of file descriptors: %v", told)
			}
		})
	}
}

func TestFirstLines(t *testing.T) {
	w := newWorld(t)
	p := w.start("source", w.source, "XDS_HEADER_KEY=a-secret", "ISTIO_METAJSON_X={", "OTHER=1")
	log := p.log.String()
	last := -1
	for _, want := range []string{
		"version: version.BuildInfo{Version:", "skipping ISTIO_METAJSON_X", "running with config: adminAddr:",
		"proxyArgs: proxy ztunnel", "- <redacted>", "listener established",
	} {
		at := strings.Index(log, want)
		if at < last {
			t.Errorf("%q is at %d, not after what comes before it (%d)", want, at, last)
		}
		last = at
	}
	if strings.Contains(log, "a-secret") {
		t.Error("the log tells a secret")
	}
}
