package socket

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// PacketNetwork is a Network that has datagrams too. The kernel's has.
type PacketNetwork interface {
	// ListenPacket binds addr for datagrams. A busy port is an error that wraps syscall.EADDRINUSE.
	ListenPacket(ctx context.Context, addr netip.AddrPort, o ListenOptions) (PacketListener, error)

	// DialPacket makes a socket, with a port of its own, that sends datagrams to addr and takes them from there only.
	DialPacket(ctx context.Context, addr netip.AddrPort) (net.Conn, error)
}

// PacketListener takes and sends datagrams. Any number of goroutines may send.
type PacketListener interface {
	// Reader makes what one goroutine reads with; several may.
	Reader() PacketReader
	// TrySend sends the datagrams of a batch, in order. It returns at once: how many of them are lost, and why the first is,
	// which is ErrWouldBlock when the socket's buffer is full.
	TrySend(b *Batch) (lost int, err error)
	// EndReading ends all present and later reads with os.ErrDeadlineExceeded; sending goes on.
	EndReading() error
	// Addr is the bound address.
	Addr() netip.AddrPort
	// Close closes the socket at once.
	Close() error
}

// PacketReader takes datagrams, for one goroutine.
type PacketReader interface {
	// Read waits for datagrams and returns how many it has read: those that are there, as many as there is room for. It calls
	// take for a batch with room, and give with that batch where nothing was put there: nothing is held while it waits. What
	// does not fit its place is lost.
	Read(take func() *Batch, give func(*Batch)) (n int, err error)
}

var _ PacketNetwork = (*kernel)(nil)

// packetBuffer is how many bytes of datagrams the kernel keeps for a socket of ours, each way: room for bursts. It keeps
// as much as net.core.rmem_max allows.
const packetBuffer = 1 << 20

// ListenPacket binds addr for datagrams; mark and SO_REUSEPORT are set before (spec/ops.md §3.7).
func (k *kernel) ListenPacket(ctx context.Context, addr netip.AddrPort, o ListenOptions) (PacketListener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return control(c, func(fd int) error {
			// Without them bursts are lost sooner.
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, packetBuffer)
			_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, packetBuffer)
			o.Keepalive = false
			return k.setUpListener(fd, o)
		})
	}}
	network := "udp6"
	if addr.Addr().Is4() {
		network = "udp4"
	}
	c, err := lc.ListenPacket(ctx, network, addr.String())
	if err != nil {
		return nil, &BindError{Addr: addr, Err: err}
	}
	udp := c.(*net.UDPConn)
	raw, err := udp.SyscallConn()
	if err != nil {
		_ = udp.Close()
		return nil, &BindError{Addr: addr, Err: err}
	}
	return &packetListener{udp: udp, raw: raw, addr: addrPort(udp.LocalAddr())}, nil
}

// DialPacket makes a connected datagram socket with the configured mark.
func (k *kernel) DialPacket(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	addr = Canonical(addr)
	network := "udp6"
	if addr.Addr().Is4() {
		network = "udp4"
	}
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		return control(c, func(fd int) error {
			if err := setMark(fd, k.cfg.Mark); err != nil {
				return err
			}
			if local := k.cfg.Local; local.IsValid() && local.Is4() == addr.Addr().Is4() {
				return bindAddress(fd, local)
			}
			return nil
		})
	}}
	c, err := d.DialContext(ctx, network, addr.String())
	if err != nil {
		return nil, &DialError{Addr: addr, Err: err}
	}
	return c, nil
}
