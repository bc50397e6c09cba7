package socket

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Batch is room for datagrams that one system call reads or sends. It is one goroutine's at a time, and may be used again.
type Batch struct {
	headers []header
	vectors []unix.Iovec
	peers   []unix.RawSockaddrInet6 // IPv4 addresses fit too
	n       int
}

// header is the kernel's struct mmsghdr.
type header struct {
	unix.Msghdr
	size uint32
}

// NewBatch makes room for size datagrams, at least one.
func NewBatch(size int) *Batch {
	return &Batch{headers: make([]header, size), vectors: make([]unix.Iovec, size), peers: make([]unix.RawSockaddrInet6, size)}
}

// Len is how many datagrams there are, Full whether there is room for no more.
func (b *Batch) Len() int { return b.n }

// Full reports whether there is no room left.
func (b *Batch) Full() bool { return b.n == len(b.headers) }

// Clear forgets the datagrams, so that their bytes are nobody's.
func (b *Batch) Clear() {
	clear(b.vectors[:b.n])
	b.n = 0
}

// AddRoom adds a place that a datagram may be read into; p is not empty. The batch must not be full.
func (b *Batch) AddRoom(p []byte) { b.add(p, unix.SizeofSockaddrInet6) }

// Add adds a datagram that is to be sent. The batch must not be full.
func (b *Batch) Add(p []byte, to netip.AddrPort) { b.add(p, uint32(putAddr(&b.peers[b.n], to))) }

func (b *Batch) add(p []byte, addrSize uint32) {
	b.vectors[b.n] = unix.Iovec{Base: unsafe.SliceData(p)}
	b.vectors[b.n].SetLen(len(p))
	h := &b.headers[b.n]
	*h = header{Msghdr: unix.Msghdr{Name: (*byte)(unsafe.Pointer(&b.peers[b.n])), Namelen: addrSize, Iov: &b.vectors[b.n]}}
	h.SetIovlen(1)
	b.n++
}

// Read is the length and the sender of the i-th datagram that was read; the sender is canonical.
func (b *Batch) Read(i int) (size int, from netip.AddrPort) {
	return int(b.headers[i].size), addrOf(&b.peers[i])
}

// call makes a system call over the datagrams from the first-th on, and returns how many it served.
func (b *Batch) call(number, fd uintptr, first int) (int, error) {
	return ignoringEINTR(func() (int, error) {
		n, _, errno := unix.Syscall6(number, fd, uintptr(unsafe.Pointer(&b.headers[first])), uintptr(b.n-first), unix.MSG_DONTWAIT, 0, 0)
		if errno != 0 {
			return 0, errno
		}
		return int(n), nil
	})
}
