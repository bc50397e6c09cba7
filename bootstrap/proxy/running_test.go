package proxy

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// running is a started proxy; the end of the test is its end.
type running struct {
	*Proxy
	t    *testing.T
	ip   netip.Addr
	log  *output
	once sync.Once
}

func (w *world) start(workload string, ip netip.Addr, extra ...string) *running {
	w.t.Helper()
	return w.startWith(Options{}, workload, ip, extra...)
}

func (w *world) startWith(o Options, workload string, ip netip.Addr, extra ...string) *running {
	w.t.Helper()
	log := &output{}
	o.Out = log
	p, err := Start(w.t.Context(), w.config(workload, ip, extra...), o)
	if err != nil {
		w.t.Fatal(err)
	}
	r := &running{Proxy: p, t: w.t, ip: ip, log: log}
	w.t.Cleanup(func() {
		r.once.Do(func() {
			if err := r.shutDown(); err != nil {
				w.t.Errorf("the proxy of %s did not end well: %v", workload, err)
			}
		})
	})
	ctx, cancel := context.WithTimeout(w.t.Context(), readyLimit)
	defer cancel()
	if err := p.AwaitReady(ctx); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (r *running) shutDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return r.Proxy.Shutdown(ctx)
}

// end shuts the proxy down in the background and says how that went.
func (r *running) end() <-chan error {
	done := make(chan error, 1)
	go r.once.Do(func() { done <- r.shutDown() })
	return done
}

func await[T any](t *testing.T, what string, within time.Duration, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(within):
		t.Fatalf("%s did not happen within %v", what, within)
	}
	return v
}

// eventually polls what only a real socket or another goroutine brings about.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for deadline := time.Now().Add(seeLimit); !condition(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about within %v", what, seeLimit)
		}
	}
}

// output takes a proxy's log.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
