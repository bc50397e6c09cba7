package demo

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// wholeWithin is how long the spans of a call may take to come once its log lines have.
const wholeWithin = 5 * time.Second

func (d *demo) introduce() {
	d.say(`Two nodes on loopback. Each runs a proxy; pods buyer and cart-0 are in the mesh, and talk as if they were not:

  pod buyer ──SOCKS5──► troupe on %-7s ══════ HBONE: HTTP/2 CONNECT ═════► troupe on %-7s ──TCP──► pod cart-0
                        %-15s          over mutual TLS                 %s

`, nodeA, nodeB, d.world.client, d.world.server)
}

// show makes one call and shows what became of it.
func (d *demo) show(ctx context.Context, n int, c call) error {
	ctx, cancel := context.WithTimeout(ctx, 2*callTimeout)
	defer cancel()
	d.say("── %d. %s: GET %s ──\n%s\n\n", n, c.title, c.url(d.world), c.note)
	var o outcome
	o.answer, o.err = c.make(ctx, d.world)
	if o.err == nil {
		d.say("result  %s\n\n", o.answer)
	} else {
		d.say("result  %s\n\n", reason(o.err))
	}
	var errA, errB error
	o.outbound, errA = d.logs[0].next(ctx)
	o.inbound, errB = d.logs[1].next(ctx)
	if err := errors.Join(errA, errB); err != nil {
		return errors.Join(err, c.check(o))
	}
	d.say("%s  %s\n", nodeA, fold(o.outbound, "        "))
	d.say("%s  %s\n\n", nodeB, fold(o.inbound, "        "))
	wrong := d.trace(ctx, c, &o)
	d.say("%s", o.traces)
	return errors.Join(c.check(o), wrong)
}

// trace waits for the call's trace and has it printed, the call's own before all others.
func (d *demo) trace(ctx context.Context, c call, o *outcome) error {
	ctx, cancel := context.WithTimeout(ctx, wholeWithin)
	defer cancel()
	own, wrong := d.spans.take(ctx, c.spans)
	wrong = errors.Join(wrong, d.settle(ctx))
	if err := d.spans.Print(own); err != nil {
		wrong = errors.Join(wrong, err)
	}
	o.traces = d.printed()
	return wrong
}

// keep stays up, says how to send traffic of one's own, and shows what becomes of it.
func (d *demo) keep(ctx context.Context) {
	d.say(`
The nodes stay up until you interrupt them. Send traffic of your own:

  curl --interface %[1]s --socks5 %[2]s http://%[3]s:%[4]d/       allowed
  curl --interface %[1]s --socks5 %[2]s http://%[3]s:%[5]d/     denied by policy
  curl --interface %[1]s --socks5 %[2]s http://%[3]s:%[6]d/     nobody listens
  curl http://%[1]s:15000/config_dump     what %[7]s knows
  curl http://%[1]s:15020/metrics         what %[7]s has counted

`, d.world.client, netip.AddrPortFrom(d.world.client, socksPort), d.world.vip, shopPort, adminPort, deadPort, nodeA)
	for ctx.Err() == nil {
		shown := false
		for i, node := range []string{nodeA, nodeB} {
			if line := d.logs[i].poll(ctx); line != "" {
				d.say("%s  %s\n", node, fold(line, "        "))
				shown = true
			}
		}
		if shown || d.settle(ctx) != nil {
			continue // more may be on its way, or the end has come
		}
		if traces := strings.TrimRight(d.printed(), "\n"); traces != "" {
			d.say("\n%s\n\n", traces)
		}
	}
}
