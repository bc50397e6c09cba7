package memnet

import (
	"context"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// Redirection is a host's REDIRECT rules. The zero value redirects nothing.
type Redirection struct {
	// Outbound is the port that takes what the host's application sends to other hosts; 0 for none.
	Outbound uint16
	// Inbound is the port that takes what comes from other hosts; 0 for none.
	Inbound uint16
	// Exempt are ports that what comes from other hosts reaches undisturbed, such as 15008.
	Exempt []uint16
}

// Redirect sets the host's rules for connections from now on. What a host sends to itself is not redirected.
func (h *Host) Redirect(r Redirection) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	r.Exempt = slices.Clone(r.Exempt)
	h.redirect = r
}

// App is the network of the application on the host: its dials obey Redirection.Outbound.
func (h *Host) App() socket.Network { return app{h} }

type app struct{ *Host }

func (a app) Dial(ctx context.Context, addr netip.AddrPort, o socket.DialOptions) (socket.Conn, error) {
	return a.Host.dial(ctx, socket.Canonical(addr), o, true)
}

// DialRedirected dials the host's own listener at via as if a rule had sent a connection to original there.
func (h *Host) DialRedirected(ctx context.Context, via, original netip.AddrPort) (socket.Conn, error) {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	via, original = socket.Canonical(via), socket.Canonical(original)
	c, err := h.connect(ctx, original, netip.Addr{}, func() (route, error) {
		return route{host: h, at: via, local: via, original: original}, nil
	})
	if err != nil {
		return nil, &socket.DialError{Addr: via, Err: err}
	}
	return c, nil
}

// route finds where a dial to addr ends.
func (h *Host) route(addr netip.AddrPort, app bool) (route, error) {
	a := addr.Addr()
	if a.IsUnspecified() { // as the kernel does
		a = netip.IPv6Loopback()
		if addr.Addr().Is4() {
			a = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
		addr = netip.AddrPortFrom(a, addr.Port())
	}
	if h.owns(a) {
		return route{host: h, at: addr, local: addr}, nil
	}
	if app && h.redirect.Outbound != 0 {
		return h.redirected(addr, h.redirect.Outbound), nil
	}
	to := h.net.hosts[a]
	if to == nil {
		return route{}, os.NewSyscallError("connect", syscall.EHOSTUNREACH)
	}
	if to.redirect.Inbound != 0 && !slices.Contains(to.redirect.Exempt, addr.Port()) {
		return to.redirected(addr, to.redirect.Inbound), nil
	}
	return route{host: to, at: addr, local: addr}, nil
}

// redirected is the route to a port of the host itself. REDIRECT goes to 127.0.0.1 for what the host sends and to
// the address that it came to for the rest.
func (h *Host) redirected(original netip.AddrPort, port uint16) route {
	to := original.Addr()
	if !h.owns(to) {
		to = netip.IPv6Loopback()
		if original.Addr().Is4() {
			to = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
	}
	at := netip.AddrPortFrom(to, port)
	return route{host: h, at: at, local: at, original: original}
}
