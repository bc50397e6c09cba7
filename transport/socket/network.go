package socket

import (
	"context"
	"net/netip"
)

// Network is where a node's connections come from and go to. The kernel's is made by New; tests use an
// in-memory one.
type Network interface {
	// Listen binds addr and starts listening. A busy port is an error that wraps syscall.EADDRINUSE.
	Listen(ctx context.Context, addr netip.AddrPort, o ListenOptions) (Listener, error)

	// Dial connects to addr within DialTimeout and ctx, whichever ends first.
	Dial(ctx context.Context, addr netip.AddrPort, o DialOptions) (Conn, error)
}

// ListenOptions says what a listening socket and the connections accepted from it are like.
type ListenOptions struct {
	// Transparent asks for IP_TRANSPARENT: TransparentTry, TransparentRequire or TransparentOff.
	Transparent Transparent
	// ReusePort sets SO_REUSEPORT, so that an old and a new proxy can share a port while one replaces the other.
	ReusePort bool
	// Keepalive sets the configured keepalive and user time-out on accepted sockets (15001 and 15006 only).
	Keepalive bool
}

// Transparent is the tri-state of ENABLE_ORIG_SRC (spec/dataplane.md §1.5).
type Transparent uint8

// The states of Transparent.
const (
	TransparentTry     Transparent = iota // attempted; on when it succeeded
	TransparentRequire                    // failure is a bind error
	TransparentOff                        // not attempted
)

// DialOptions says how to dial.
type DialOptions struct {
	// Source is the address to appear as (transparent + freebind). The zero value means the kernel's choice;
	// equal to the destination's address means the same (a pod that calls itself).
	Source netip.Addr
}

// Listener accepts connections.
type Listener interface {
	// Accept waits for the next connection. TCP_NODELAY is set on it. After Close it returns net.ErrClosed.
	Accept() (Accepted, error)
	// Addr is the bound address.
	Addr() netip.AddrPort
	// Transparent says whether IP_TRANSPARENT is set, hence whether sources can be preserved.
	Transparent() bool
	// Close stops listening at once.
	Close() error
}

// Accepted is a connection as it came in. All addresses are canonical: v4-mapped IPv6 is IPv4.
type Accepted struct {
	Conn Conn
	// Peer is who opened it, Local where it arrived.
	Peer, Local netip.AddrPort
}

// OriginalDst is where the application wanted to go before redirection: SO_ORIGINAL_DST, the IPv6 option where
// that fails, the local address where both fail (spec/dataplane.md §1.3). The second result is false for that
// last case.
func (a Accepted) OriginalDst() (netip.AddrPort, bool) {
	if o, ok := a.Conn.(interface {
		OriginalDst() (netip.AddrPort, error)
	}); ok {
		if dst, err := o.OriginalDst(); err == nil && dst.IsValid() {
			return netip.AddrPortFrom(dst.Addr().Unmap(), dst.Port()), true
		}
	}
	return a.Local, false
}
