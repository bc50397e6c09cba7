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

// packetListener is a datagram socket of the kernel. It makes the bare system calls for many datagrams at once, which x/sys
// lacks.
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
	raw  syscall.RawConn
	step func(fd uintptr) bool
	take func() *Batch
	give func(*Batch)
	n    int
	err  error
}

// Read implements PacketReader.
func (r *packetReader) Read(take func() *Batch, give func(*Batch)) (int, error) {
	r.take, r.give, r.n, r.err = take, give, 0, nil
	err := r.raw.Read(r.step)
	r.take, r.give = nil, nil
	switch {
	case err != nil:
		return 0, err
	case r.err != nil:
		return 0, os.NewSyscallError("recvmmsg", r.err)
	}
	return r.n, nil
}

func (r *packetReader) read(fd uintptr) bool {
	b := r.take()
	r.n, r.err = b.call(unix.SYS_RECVMMSG, fd, 0)
	if r.err == nil {
		return true
	}
	r.give(b)
	if errors.Is(r.err, unix.EAGAIN) {
		r.err = nil
		return false
	}
	return true
}

// packetSend is the state of one send.
type packetSend struct {
	step func(fd uintptr) bool
	b    *Batch
	lost int
	err  error
}

// TrySend implements PacketListener.
func (l *packetListener) TrySend(b *Batch) (lost int, err error) {
	s, ok := l.sending.Get().(*packetSend)
	if !ok {
		s = new(packetSend)
		s.step = s.send
	}
	s.b, s.lost, s.err = b, 0, nil
	closed := l.raw.Write(s.step)
	lost, err = s.lost, s.err
	s.b, s.err = nil, nil
	l.sending.Put(s)
	switch {
	case closed != nil:
		return b.n, closed
	case errors.Is(err, unix.EAGAIN):
		return lost, ErrWouldBlock
	case err != nil:
		return lost, os.NewSyscallError("sendmmsg", err)
	}
	return lost, nil
}

// send always says that it is done: it never lets the poller wait. A datagram that can't be sent is left out.
func (s *packetSend) send(fd uintptr) bool {
	for first := 0; first < s.b.n; {
		n, err := s.b.call(unix.SYS_SENDMMSG, fd, first)
		first += n
		if err == nil {
			continue
		}
		if s.err == nil {
			s.err = err
		}
		if errors.Is(err, unix.EAGAIN) {
			s.lost += s.b.n - first
			return true
		}
		s.lost++
		first++
	}
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
