package memnet

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// The ports that dials take.
const (
	firstEphemeral = 32768
	lastEphemeral  = 60999
)

// Host is a machine or a pod. It is the network of the proxy that runs there, whose own dials are not redirected;
// App is that of the application.
type Host struct {
	net         *Network
	serial      uint64
	addrs       []netip.Addr
	transparent bool
	redirect    Redirection
	listeners   []*listener
	ports       map[uint16]struct{} // taken by dials
	port        uint16              // to try next
}

var _ socket.Network = (*Host)(nil)

// Addr is the host's first address.
func (h *Host) Addr() netip.Addr { return h.addrs[0] }

// ForbidTransparent makes IP_TRANSPARENT fail, as it does without CAP_NET_ADMIN. Until then it succeeds.
func (h *Host) ForbidTransparent() {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	h.transparent = false
}

// Listen implements socket.Network. Port 0 takes a free one.
func (h *Host) Listen(ctx context.Context, addr netip.AddrPort, o socket.ListenOptions) (socket.Listener, error) {
	if ctx.Err() != nil {
		return nil, &socket.BindError{Addr: addr, Err: context.Cause(ctx)}
	}
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	addr = socket.Canonical(addr)
	if a := addr.Addr(); !a.IsUnspecified() && !h.owns(a) {
		return nil, &socket.BindError{Addr: addr, Err: os.NewSyscallError("bind", syscall.EADDRNOTAVAIL)}
	}
	if addr.Port() == 0 {
		port, ok := h.takePort()
		if !ok {
			return nil, &socket.BindError{Addr: addr, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
		}
		addr = netip.AddrPortFrom(addr.Addr(), port)
	}
	for _, l := range h.listeners {
		if l.overlaps(addr) && !(l.shared && o.ReusePort) {
			return nil, &socket.BindError{Addr: addr, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
		}
	}
	if o.Transparent == socket.TransparentRequire && !h.transparent {
		return nil, &socket.BindError{Addr: addr, Err: os.NewSyscallError("setsockopt IP_TRANSPARENT", syscall.EPERM)}
	}
	l := &listener{
		host: h, addr: addr, shared: o.ReusePort,
		transparent: o.Transparent != socket.TransparentOff && h.transparent,
	}
	h.listeners = append(h.listeners, l)
	h.net.changed.notify()
	return l, nil
}

// owns says whether a is an address of the host.
func (h *Host) owns(a netip.Addr) bool { return a.IsLoopback() || slices.Contains(h.addrs, a) }

// takePort takes a port that neither a listener nor a dial has; false if there is none.
func (h *Host) takePort() (uint16, bool) {
	for range lastEphemeral - firstEphemeral + 1 {
		port := h.port
		if h.port++; h.port > lastEphemeral {
			h.port = firstEphemeral
		}
		_, taken := h.ports[port]
		if !taken && !slices.ContainsFunc(h.listeners, func(l *listener) bool { return l.addr.Port() == port }) {
			return port, true
		}
	}
	return 0, false
}

// listenerFor finds who takes connections to addr: an exact address before a wildcard. Those who share it take
// turns.
func (h *Host) listenerFor(addr netip.AddrPort) *listener {
	var best *listener
	for _, l := range h.listeners {
		if !l.matches(addr) {
			continue
		}
		if best == nil || best.addr.Addr().IsUnspecified() && !l.addr.Addr().IsUnspecified() ||
			best.addr == l.addr && l.taken < best.taken {
			best = l
		}
	}
	return best
}
