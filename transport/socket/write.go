package socket

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// writing is the state of one TryWrite or WaitWritable call; the Conn has one writer at a time.
type writing struct {
	try, wait func(fd uintptr) bool
	src       []byte
	n         int
	err       error
	poll      [1]unix.PollFd
}

// TryWrite implements Conn.
func (c *kernelConn) TryWrite(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	w := &c.writing
	if w.try == nil {
		w.try = c.writeStep
	}
	w.src, w.n, w.err = p, 0, nil
	err := c.raw.Write(w.try)
	n, werr := w.n, w.err
	w.src, w.err = nil, nil
	if err != nil {
		return n, err
	}
	return n, werr
}

// writeStep always says that it is done: it never lets the poller wait. A short write means that the send buffer
// is full, so there is no second one.
func (c *kernelConn) writeStep(fd uintptr) bool {
	w := &c.writing
	n, err := ignoringEINTR(func() (int, error) { return unix.Write(int(fd), w.src) })
	switch {
	case err == nil:
		w.n = n
	case !errors.Is(err, unix.EAGAIN):
		w.err = c.opError("write", os.NewSyscallError("write", err))
	}
	return true
}

// WaitWritable implements Conn. A socket with an error counts as writable: TryWrite will tell.
func (c *kernelConn) WaitWritable() error {
	w := &c.writing
	if w.wait == nil {
		w.wait = c.waitStep
	}
	w.err = nil
	if err := c.raw.Write(w.wait); err != nil {
		return err
	}
	return w.err
}

// waitStep asks the kernel, also the first time: the poller reports edges, and the last one may be spent.
func (c *kernelConn) waitStep(fd uintptr) bool {
	w := &c.writing
	w.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLOUT}
	n, err := ignoringEINTR(func() (int, error) { return unix.Poll(w.poll[:], 0) })
	if err != nil {
		w.err = c.opError("poll", os.NewSyscallError("poll", err))
		return true
	}
	return n > 0
}
