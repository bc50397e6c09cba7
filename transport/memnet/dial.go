package memnet

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// route is where a dial goes.
type route struct {
	host     *Host
	at       netip.AddrPort // the listener's
	local    netip.AddrPort // what the accepted end calls its own address
	original netip.AddrPort // set if redirected
}

// Dial implements socket.Network. The host's redirection of what leaves it does not apply.
func (h *Host) Dial(ctx context.Context, addr netip.AddrPort, o socket.DialOptions) (socket.Conn, error) {
	return h.dial(ctx, socket.Canonical(addr), o, false)
}

func (h *Host) dial(ctx context.Context, addr netip.AddrPort, o socket.DialOptions, app bool) (socket.Conn, error) {
	n := h.net
	n.mu.Lock()
	defer n.mu.Unlock()
	asked := o.Source.Unmap()
	if asked == addr.Addr() {
		asked = netip.Addr{}
	}
	c, err := h.connect(ctx, addr, asked, func() (route, error) { return h.route(addr, app) })
	if err != nil {
		return nil, &socket.DialError{Source: asked, Addr: addr, Err: err}
	}
	return c, nil
}

// connect opens a connection where find says, once there is an answer.
func (h *Host) connect(ctx context.Context, addr netip.AddrPort, asked netip.Addr, find func() (route, error)) (*conn, error) {
	n := h.net
	if asked.IsValid() && asked.Is4() != addr.Addr().Is4() {
		return nil, os.NewSyscallError("connect", syscall.EAFNOSUPPORT)
	}
	if asked.IsValid() && !h.owns(asked) && !h.transparent {
		h.warn(&socket.SpoofError{Source: asked, Addr: addr, Err: os.NewSyscallError("setsockopt IP_TRANSPARENT", syscall.EPERM)})
		asked = netip.Addr{}
	}
	deadline := time.Now().Add(n.options.DialTimeout)
	number := n.number()
	var answer time.Time // when it comes, if nothing happens meanwhile
	for {
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return nil, context.Cause(ctx)
		case ctx.Err() != nil, !time.Now().Before(deadline):
			return nil, socket.ErrDeadline
		}
		r, err := find()
		if err != nil {
			return nil, err
		}
		link := n.link(h, r.host)
		if link.cut {
			answer = time.Time{}
			n.wait(ctx, &n.changed, deadline)
			continue
		}
		if answer.IsZero() {
			answer = time.Now().Add(2*link.Latency + n.skew(number))
		}
		if time.Now().Before(answer) {
			n.wait(ctx, &n.changed, earlier(answer, deadline))
			continue
		}
		l := r.host.listenerFor(r.at)
		if l == nil {
			return nil, os.NewSyscallError("connect", syscall.ECONNREFUSED)
		}
		if len(l.queue) < n.options.Backlog {
			source, err := h.source(addr.Addr(), asked)
			if err != nil {
				return nil, err
			}
			return h.open(link, l, r, source, addr), nil
		}
		n.wait(ctx, &n.changed, deadline)
	}
}

// warn tells the user without the lock.
func (h *Host) warn(err error) {
	if h.net.options.Warn == nil {
		return
	}
	h.net.mu.Unlock()
	defer h.net.mu.Lock()
	h.net.options.Warn(err)
}

// source is what a dial to dst comes from: what was asked for, or the kernel's choice.
func (h *Host) source(dst, asked netip.Addr) (netip.AddrPort, error) {
	from := asked
	if !from.IsValid() {
		from = h.nearest(dst)
	}
	if !from.IsValid() {
		return netip.AddrPort{}, os.NewSyscallError("connect", syscall.ENETUNREACH)
	}
	port, ok := h.takePort()
	if !ok {
		return netip.AddrPort{}, os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)
	}
	return netip.AddrPortFrom(from, port), nil
}

// nearest is the host's address that the kernel would choose to reach dst; the zero value if it has none.
func (h *Host) nearest(dst netip.Addr) netip.Addr {
	switch {
	case dst.IsLoopback() && dst.Is4():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case h.owns(dst):
		return dst
	}
	for _, a := range h.addrs {
		if a.Is4() == dst.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// open makes the two ends, and leaves one with the listener.
func (h *Host) open(link *link, l *listener, r route, source, addr netip.AddrPort) *conn {
	n := h.net
	up, down := &stream{net: n}, &stream{net: n}
	client := &conn{net: n, host: h, link: link, local: source, peer: addr, in: down, out: up, ephemeral: source.Port()}
	server := &conn{net: n, host: r.host, link: link, local: r.local, peer: source, original: r.original, in: up, out: down}
	client.other, server.other = server, client
	for _, c := range []*conn{client, server} {
		c.serial = n.number()
		c.out.number = c.serial
		n.conns[c] = struct{}{}
	}
	h.ports[source.Port()] = struct{}{}
	l.taken++
	l.queue = append(l.queue, arrival{server, time.Now().Add(client.delay())})
	l.changed.notify()
	return client
}
