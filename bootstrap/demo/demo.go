package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
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
	out     io.Writer
	tree    *trace.Tree
	text    *strings.Builder
	proxies [2]*proxy.Proxy
	logs    [2]*accessLog
	socks   netip.AddrPort
}

// Run runs the demo. It returns an error when anything was not as it must be.
func Run(ctx context.Context, o Options) (err error) {
	caDir, err := os.MkdirTemp("", "troupe-demo-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(caDir) }()
	app, err := startApplication(ctx)
	if err != nil {
		return err
	}
	defer app.stop()
	text := &strings.Builder{}
	d := &demo{out: o.Out, text: text, tree: trace.NewTree(text), socks: netip.AddrPortFrom(clientIP, 15080)}
	if err := d.start(ctx, o, caDir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	d.introduce()
	for i, c := range calls() {
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
	}{{nodeA, "shop/buyer/buyer", clientIP}, {nodeB, "shop/cart-0/cart", serverIP}} {
		c, err := config.Load(environ(n.node, n.workload, n.ip, caDir), nil, config.ThisHost())
		if err != nil {
			return err
		}
		d.logs[i] = newAccessLog(func(line string) { d.say("%s: %s\n", n.node, line) })
		d.proxies[i], err = proxy.Start(ctx, c, proxy.Options{
			Out: d.logs[i], Environ: o.Environ, Exporters: []trace.Exporter{d.tree}, Ratio: 1,
		})
		if err != nil {
			return errors.Join(fmt.Errorf("start the proxy of %s (is another demo running?): %w", n.node, err), d.stop())
		}
	}
	for _, p := range d.proxies {
		if err := p.AwaitReady(ctx); err != nil {
			return errors.Join(err, d.stop())
		}
	}
	return nil
}

func (d *demo) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var all error
	for _, p := range d.proxies {
		if p != nil {
			all = errors.Join(all, p.Shutdown(ctx))
		}
	}
	return all
}

func (d *demo) introduce() {
	d.say(`Two nodes on loopback, one mutual-TLS tunnel between them:

  buyer ──SOCKS5──► troupe %s %s ══HBONE══► troupe %s %s ──► cart
                    outbound 15001/15080            inbound 15008

`, nodeA, clientIP, nodeB, serverIP)
}

// show makes one call and shows what became of it.
func (d *demo) show(ctx context.Context, n int, c call) error {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	d.say("── %d. %s: GET http://cart.shop:%d/\n\n", n, c.title, c.port)
	answer, err := c.make(ctx, d.socks)
	if err == nil {
		d.say("result      %s\n", answer)
	} else {
		d.say("result      %s\n", err)
	}
	outbound, errA := d.logs[0].next(ctx)
	inbound, errB := d.logs[1].next(ctx)
	if joined := errors.Join(errA, errB); joined != nil {
		return joined
	}
	d.say("access log  %s\n            %s\n\n", outbound, inbound)
	for _, p := range d.proxies {
		if err := p.FlushTraces(ctx); err != nil {
			return err
		}
	}
	d.text.Reset()
	if err := d.tree.PrintAll(); err != nil {
		return err
	}
	d.say("%s\n", d.text.String())
	return c.check(answer, err, outbound, inbound, d.text.String())
}

// keep stays up and says how to send traffic of one's own.
func (d *demo) keep(ctx context.Context) {
	d.say(`
The nodes stay up until you interrupt them. Send traffic of your own:

  curl --interface %[1]s --socks5 %[2]s http://%[3]s:%[4]d/       allowed
  curl --interface %[1]s --socks5 %[2]s http://%[3]s:%[5]d/     denied by policy
  curl http://%[1]s:15000/config_dump                      what node-a knows
  curl http://%[1]s:15020/metrics                          what node-a has counted

`, clientIP, d.socks, cartVIP, shopPort, adminPort)
	for ctx.Err() == nil {
		for i, node := range []string{nodeA, nodeB} {
			line, err := d.logs[i].poll(ctx)
			if err == nil && line != "" {
				d.say("%s  %s\n", node, line)
			}
		}
	}
}

func (d *demo) say(format string, args ...any) {
	_, _ = fmt.Fprintf(d.out, format, args...) // there is nowhere else to say it
}
