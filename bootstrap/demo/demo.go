package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/bootstrap/proxy"
)

// The demo's two nodes.
const (
	nodeA = "node-a"
	nodeB = "node-b"
)

// Options of a demo.
type Options struct {
	// Out takes everything that the demo shows.
	Out io.Writer
	// Environ has OTEL_* variables: traces go there as well.
	Environ []string
	// Keep stays up after the calls until ctx ends.
	Keep bool
}

// demo is a running demo.
type demo struct {
	world   world
	mu      sync.Mutex // guards out: the proxies' logs speak too
	out     io.Writer
	spans   *sightings
	text    *strings.Builder // what the tree has printed; the demo's own goroutine only
	proxies [2]*proxy.Proxy
	logs    [2]*accessLog
}

// Run runs the demo. It returns an error when anything was not as it must be.
func Run(ctx context.Context, o Options) error { return run(ctx, o, loopback, calls()) }

func run(ctx context.Context, o Options, w world, all []call) (err error) {
	caDir, err := os.MkdirTemp("", "troupe-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo's authority: %w", err)
	}
	defer func() { _ = os.RemoveAll(caDir) }()
	app, err := startApplication(ctx, w.server)
	if err != nil {
		return err
	}
	defer app.stop()
	text := &strings.Builder{}
	d := &demo{world: w, out: o.Out, text: text, spans: newSightings(trace.NewTree(text))}
	defer func() { err = errors.Join(err, d.stop()) }()
	if err := d.start(ctx, o, caDir); err != nil {
		return err
	}
	d.introduce()
	for i, c := range all {
		if err := d.show(ctx, i+1, c); err != nil {
			return fmt.Errorf("%s: %w", c.title, err)
		}
	}
	d.say("Everything went as it must: one call was answered, one was denied, one found nobody.\n")
	if o.Keep {
		d.keep(ctx)
	}
	return nil
}

func (d *demo) start(ctx context.Context, o Options, caDir string) error {
	for i, n := range []struct {
		node, workload string
		ip             netip.Addr
	}{{nodeA, "shop/buyer/buyer", d.world.client}, {nodeB, "shop/cart-0/cart", d.world.server}} {
		c, err := config.Load(d.world.environ(n.node, n.workload, n.ip, caDir), []string{"demo"}, config.ThisHost())
		if err != nil {
			return fmt.Errorf("configure the proxy of %s: %w", n.node, err)
		}
		d.logs[i] = newAccessLog(func(line string) { d.say("%s  %s\n", n.node, fold(line, "        ")) })
		d.proxies[i], err = proxy.Start(ctx, c, proxy.Options{
			Out: d.logs[i], Environ: o.Environ, Exporters: []trace.Exporter{d.spans}, Ratio: 1,
		})
		if err != nil {
			return fmt.Errorf("start the proxy of %s (is another demo running?): %w", n.node, err)
		}
	}
	for i, p := range d.proxies {
		if err := p.AwaitReady(ctx); err != nil {
			return fmt.Errorf("wait for the proxy of %s: %w", []string{nodeA, nodeB}[i], err)
		}
	}
	return nil
}

// stop ends both proxies at once.
func (d *demo) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var ending sync.WaitGroup
	var errs [2]error
	for i, p := range d.proxies {
		if p != nil {
			ending.Go(func() { errs[i] = p.Shutdown(ctx) })
		}
	}
	ending.Wait()
	return errors.Join(errs[:]...)
}

func (d *demo) say(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, _ = fmt.Fprintf(d.out, format, args...) // there is nowhere else to say it
}

// settle waits until both nodes have made the spans of all that has ended.
func (d *demo) settle(ctx context.Context) error {
	for _, p := range d.proxies {
		if err := p.SettleTraces(ctx); err != nil {
			return fmt.Errorf("wait for the spans: %w", err)
		}
	}
	return nil
}

// printed is what the tree prints, and has printed since it was last called.
func (d *demo) printed() string {
	_ = d.spans.PrintAll() // a string builder takes everything
	defer d.text.Reset()
	return d.text.String()
}
