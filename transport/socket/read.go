package socket

import (
	"errors"
	"io"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reading is the state of one ReadWith call. It lives in the Conn, which has one reader at a time, so that a read
// allocates nothing.
type reading struct {
	step   func(fd uintptr) bool
	buffer func() []byte
	dst    []byte // taken and not yet filled
	n      int
	err    error
	woken  bool
}

// ReadWith implements Conn. Before it takes a buffer it peeks, and waits where nothing is at hand: the poller
// reports edges, so an earlier one may stand for bytes that were left unread.
func (c *kernelConn) ReadWith(buffer func() []byte) (int, error) {
	r := &c.reading
	if r.step == nil {
		r.step = c.readStep
	}
	r.buffer, r.dst, r.n, r.err, r.woken = buffer, nil, 0, nil, false
	err := c.raw.Read(r.step)
	n, rerr := r.n, r.err
	r.buffer, r.dst, r.err = nil, nil, nil
	if err != nil {
		return 0, err
	}
	return n, rerr
}

// readStep compares the kernel's error numbers themselves: it runs on the small stacks of idle connections, where errors.Is
// is too deep.
func (c *kernelConn) readStep(fd uintptr) bool {
	r := &c.reading
	if !r.woken {
		r.woken = true
		switch n, errno := peek(fd); {
		case errno == unix.EAGAIN:
			return false
		case errno != 0:
			r.err = c.opError("read", os.NewSyscallError("read", errno))
			return true
		case n == 0:
			r.err = io.EOF
			return true
		}
	}
	if r.dst == nil {
		r.dst = r.buffer()
	}
	return c.readNow(fd)
}

func (c *kernelConn) readNow(fd uintptr) bool {
	r := &c.reading
	n, err := ignoringEINTR(func() (int, error) { return unix.Read(int(fd), r.dst) })
	switch {
	case errors.Is(err, unix.EAGAIN): // woken for nothing, which is rare: wait on with the buffer in hand
		return false
	case err != nil:
		r.err = c.opError("read", os.NewSyscallError("read", err))
	case n == 0:
		r.err = io.EOF
	default:
		r.n = n
	}
	return true
}

// peek reports how many bytes can be read at once: 1 for any, 0 for the end of the stream. It is the bare system
// call, since that of x/sys allocates room for a sender's address.
func peek(fd uintptr) (int, unix.Errno) {
	var b byte
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1, unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
