package dns

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// refusing is a network on which IPv6 loopback can't be bound.
type refusing struct {
	network
	err error
}

func (r refusing) Listen(ctx context.Context, addr netip.AddrPort, o socket.ListenOptions) (socket.Listener, error) {
	if addr.Addr().Is6() {
		return nil, &socket.BindError{Addr: addr, Err: os.NewSyscallError("bind", r.err)}
	}
	return r.network.Listen(ctx, addr, o)
}

func TestListenWithoutIPv6(t *testing.T) {
	both := []netip.AddrPort{netip.MustParseAddrPort("127.53.9.1:15053"), netip.MustParseAddrPort("[::1]:15053")}
	for _, test := range []struct {
		name  string
		err   error
		addrs []netip.AddrPort
		want  int
	}{
		{"the pod has no ::1", syscall.EADDRNOTAVAIL, both, 1},
		{"the kernel has no IPv6", syscall.EAFNOSUPPORT, both, 1},
		{"the port is taken", syscall.EADDRINUSE, both, 0},
		{"nothing else was asked for", syscall.EADDRNOTAVAIL, both[1:], 0},
	} {
		warned := 0
		all, err := Listen(t.Context(), refusing{kernel(), test.err}, test.addrs, socket.ListenOptions{}, func(error) { warned++ })
		if len(all) != test.want || (err == nil) != (test.want > 0) || warned != test.want {
			t.Errorf("%s: %d sockets, %d warnings, %v", test.name, len(all), warned, err)
		}
		if err != nil && !errors.Is(err, test.err) {
			t.Errorf("%s: error %v", test.name, err)
		}
		Close(all)
	}
}
