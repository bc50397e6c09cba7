package socket

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// packetListener is a datagram socket of the kernel. It makes the bare system calls, since those of x/sys allocate room
// for every address.
type packetListener struct {
	udp     *net.UDPConn
	raw     syscall.RawConn
	addr    netip.AddrPort
	sending sync.Pool // of *packetSend
}

// Reader implements PacketListener.
func (l *packetListener) Reader() PacketReader {
	r := &packetReader{raw: l.raw}
	r.step = r.read
	return r
}

// Addr implements PacketListener.
func (l *packetListener) Addr() netip.AddrPort { return l.addr }

// EndReading implements PacketListener.
func (l *packetListener) EndReading() error { return l.udp.SetReadDeadline(time.Unix(1, 0)) }

// Close implements PacketListener.
func (l *packetListener) Close() error { return l.udp.Close() }

// packetReader is the state of one goroutine's reads.
type packetReader struct {
	raw    syscall.RawConn
	step   func(fd uintptr) bool
	take   func() []byte
	give   func([]byte)
	n      int
	err    error
	sender unix.RawSockaddrInet6 // IPv4 addresses fit too
}

// Read implements PacketReader.
func (r *packetReader) Read(take func() []byte, give func([]byte)) (int, netip.AddrPort, error) {
	r.take, r.give, r.n, r.err = take, give, 0, nil
	err := r.raw.Read(r.step)
	r.take, r.give = nil, nil
	switch {
	case err != nil:
		return 0, netip.AddrPort{}, err
	case r.err != nil:
		return 0, netip.AddrPort{}, os.NewSyscallError("recvfrom", r.err)
	}
	return r.n, addrOf(&r.sender), nil
}

func (r *packetReader) read(fd uintptr) bool {
	buffer := r.take()
	n, err := ignoringEINTR(func() (int, error) {
		size := uint32(unsafe.Sizeof(r.sender))
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)),
			unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&r.sender)), uintptr(unsafe.Pointer(&size)))
		if errno != 0 {
			return 0, errno
		}
		return int(n), nil
	})
	if err != nil {
		r.give(buffer)
		if errors.Is(err, unix.EAGAIN) {
			return false
		}
		r.err = err
		return true
	}
	r.n = n
	return true
}

// packetSend is the state of one send.
type packetSend struct {
	step func(fd uintptr) bool
	p    []byte
	to   unix.RawSockaddrInet6
	size uintptr
	err  error
}

// TrySend implements PacketListener.
func (l *packetListener) TrySend(p []byte, to netip.AddrPort) error {
	s, ok := l.sending.Get().(*packetSend)
	if !ok {
		s = new(packetSend)
		s.step = s.send
	}
	s.p, s.size, s.err = p, putAddr(&s.to, to), nil
	err := l.raw.Write(s.step)
	sent := s.err
	s.p, s.err = nil, nil
	l.sending.Put(s)
	switch {
	case err != nil:
		return err
	case errors.Is(sent, unix.EAGAIN):
		return ErrWouldBlock
	case sent != nil:
		return os.NewSyscallError("sendto", sent)
	}
	return nil
}

// send always says that it is done: it never lets the poller wait.
func (s *packetSend) send(fd uintptr) bool {
	var first *byte
	if len(s.p) > 0 {
		first = &s.p[0]
	}
	_, s.err = ignoringEINTR(func() (int, error) {
		n, _, errno := unix.Syscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(first)), uintptr(len(s.p)),
			unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&s.to)), s.size)
		if errno != 0 {
			return 0, errno
		}
		return int(n), nil
	})
	return true
}

// addrOf reads an address of the kernel; one of another family is not valid.
func addrOf(sa *unix.RawSockaddrInet6) netip.AddrPort {
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&sa.Port))[:])
	switch sa.Family {
	case unix.AF_INET:
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), port)
	case unix.AF_INET6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), port)
	}
	return netip.AddrPort{}
}

// putAddr writes an address for the kernel and returns how many bytes it takes.
func putAddr(sa *unix.RawSockaddrInet6, a netip.AddrPort) uintptr {
	*sa = unix.RawSockaddrInet6{}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&sa.Port))[:], a.Port())
	if a.Addr().Is4() {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		four.Family, four.Addr = unix.AF_INET, a.Addr().As4()
		return unix.SizeofSockaddrInet4
	}
	sa.Family, sa.Addr = unix.AF_INET6, a.Addr().As16()
	return unix.SizeofSockaddrInet6
}
