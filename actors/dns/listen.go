package dns

import (
	"context"
	"errors"
	"net/netip"
	"syscall"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// Bound are the sockets of one address.
type Bound struct {
	Stream  socket.Listener
	Packets socket.PacketListener
}

// Network is where the sockets are made: in the pod's network namespace.
type Network interface {
	socket.Network
	socket.PacketNetwork
}

// Listen binds TCP and then UDP on each of addrs; when one fails, none stays. A pod without IPv6 has no ::1: that is told
// to warn and no error, as long as another address is left. Port 0 takes the same free port for both.
func Listen(ctx context.Context, n Network, addrs []netip.AddrPort, o socket.ListenOptions, warn func(error)) ([]Bound, error) {
	o.Transparent = socket.TransparentOff
	var all []Bound
	for _, addr := range addrs {
		b, err := bind(ctx, n, addr, o)
		switch {
		case err == nil:
			all = append(all, b)
		case withoutIPv6(addr, err) && len(addrs) > 1:
			warn(err)
		default:
			Close(all)
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, errNoAddress
	}
	return all, nil
}

var errNoAddress = errors.New("there is no address that the DNS proxy could listen on")

func bind(ctx context.Context, n Network, addr netip.AddrPort, o socket.ListenOptions) (b Bound, err error) {
	if b.Stream, err = n.Listen(ctx, addr, o); err != nil {
		return b, err
	}
	if b.Packets, err = n.ListenPacket(ctx, b.Stream.Addr(), o); err != nil {
		_ = b.Stream.Close()
	}
	return b, err
}

// withoutIPv6 reports whether binding failed because there is no IPv6.
func withoutIPv6(addr netip.AddrPort, err error) bool {
	return addr.Addr() == netip.IPv6Loopback() && (errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT))
}

// Close closes sockets that no proxy has taken over.
func Close(all []Bound) {
	for _, b := range all {
		_ = b.Stream.Close()
		_ = b.Packets.Close()
	}
}
