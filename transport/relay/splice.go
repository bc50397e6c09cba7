package relay

import (
	"errors"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// errNoSplice says that the bytes have to go through our own memory.
var errNoSplice = errors.New("these legs can't be spliced")

// splice moves the rest of the stream inside the kernel. It takes a pipe only while bytes are at hand, and counts
// after each of its moves. Where there is no pipe it reads and writes meanwhile.
func (d *direction) splice() (Side, error) {
	s, err := newSplicer(d.from, d.to)
	if err != nil {
		return SideNone, err
	}
	for {
		if err := s.waitReadable(); err != nil {
			return d.source, err
		}
		p := pipes.take()
		if p == nil {
			if _, side, err := d.step(); err != nil {
				return side, err
			}
			continue
		}
		side, err := d.spliceThrough(s, p)
		pipes.put(p)
		if err != nil {
			return side, err
		}
	}
}

// spliceThrough moves bytes through p until none are at hand.
func (d *direction) spliceThrough(s *splicer, p *pipe) (Side, error) {
	for {
		more, err := s.fill(p)
		if err != nil || !more {
			return d.source, err
		}
		for p.held > 0 {
			n, err := s.drain(p)
			if n > 0 {
				d.count(n)
			}
			if err != nil {
				d.keepPiped(p)
				return d.sink, err
			}
		}
	}
}

// keepPiped takes what is left in a pipe when the relay was stopped.
func (d *direction) keepPiped(p *pipe) {
	if !d.relay.stopping.Load() || p.held == 0 {
		return
	}
	rest := make([]byte, p.held)
	for at := 0; at < len(rest); {
		n, err := ignoringEINTR(func() (int, error) { return unix.Read(p.read, rest[at:]) })
		if err != nil || n <= 0 {
			return // a pipe gives what it holds: without it the connection can't go on, and its counts will not add up
		}
		at += n
	}
	p.held = 0
	d.held.Bytes = rest
}

func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// splicer moves bytes from one socket through a pipe to another. Its callbacks run inside the runtime's poller and
// are made once, so that a move allocates nothing.
type splicer struct {
	from, to              syscall.RawConn
	peek, fillOnce, empty func(fd uintptr) bool
	pipe                  *pipe
	n                     int
	err                   error
	polled                bool
}

func newSplicer(from, to socket.Conn) (*splicer, error) {
	src, ok1 := socket.AsTCP(from)
	dst, ok2 := socket.AsTCP(to)
	if !ok1 || !ok2 {
		return nil, errNoSplice
	}
	s := &splicer{}
	var err1, err2 error
	s.from, err1 = src.SyscallConn()
	s.to, err2 = dst.SyscallConn()
	s.peek, s.fillOnce, s.empty = s.peekStep, s.fillStep, s.drainStep
	return s, errors.Join(err1, err2)
}

// waitReadable waits until bytes, the end or an error are at hand.
func (s *splicer) waitReadable() error {
	s.polled = false
	return s.from.Read(s.peek)
}

// peekStep asks the kernel the first time, since the poller's last edge may be spent, and trusts the poller then.
func (s *splicer) peekStep(fd uintptr) bool {
	if s.polled {
		return true
	}
	s.polled = true
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP}}
	n, err := unix.Poll(fds[:], 0)
	return n != 0 || err != nil
}

// fill moves what is at hand into p, which is empty; false if nothing is.
func (s *splicer) fill(p *pipe) (bool, error) {
	s.pipe, s.n, s.err = p, 0, nil
	if err := s.from.Read(s.fillOnce); err != nil {
		return false, err
	}
	switch {
	case errors.Is(s.err, unix.EAGAIN):
		return false, nil
	case errors.Is(s.err, unix.EINVAL):
		return false, errNoSplice
	case s.err != nil:
		return false, os.NewSyscallError("splice", s.err)
	case s.n == 0:
		return false, io.EOF
	}
	p.held = s.n
	return true, nil
}

func (s *splicer) fillStep(fd uintptr) bool {
	s.n, s.err = splice(int(fd), s.pipe.write, pipeSize)
	return true
}

// drain moves bytes from p to the other socket, waiting until it takes some.
func (s *splicer) drain(p *pipe) (int, error) {
	s.pipe, s.n, s.err = p, 0, nil
	if err := s.to.Write(s.empty); err != nil {
		return 0, err
	}
	if s.err != nil {
		return 0, os.NewSyscallError("splice", s.err)
	}
	if s.n == 0 {
		return 0, ErrDisconnected
	}
	p.held -= s.n
	return s.n, nil
}

func (s *splicer) drainStep(fd uintptr) bool {
	s.n, s.err = splice(s.pipe.read, int(fd), s.pipe.held)
	return !errors.Is(s.err, unix.EAGAIN) // the pipe has bytes, so it is the socket that has no room
}

func splice(from, to, n int) (int, error) {
	for {
		moved, err := unix.Splice(from, nil, to, nil, n, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		if err != unix.EINTR {
			return int(moved), err
		}
	}
}
