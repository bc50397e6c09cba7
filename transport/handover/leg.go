package handover

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// legWithin bounds the passing of one leg, which waits meanwhile: sending it, and the answer.
const legWithin = 5 * time.Second

// ErrRefused says that the new process does not carry a leg on.
var ErrRefused = errors.New("the successor refused the connection")

// Pass sends a plain connection to the new process and waits for its answer. The caller keeps owning the sockets: after
// nil it must close them without another word, after an error they are its own as before. An error that does not wrap
// [ErrRefused] ends the conversation.
//
// The new process carries a leg on once its answer is sent. So that there is never a leg that both carry on, an answer that
// does not come in time is given up in a way that the new process can't overlook: from then on it can't be sent.
func (c *Conn) Pass(id uint64, pod string, o *messages.LegOffered) error {
	at := &o.Leg.At
	var fds []int
	defer func() { CloseAll(fds) }()
	for _, end := range []any{o.Downstream, o.Upstream} {
		fd, err := socket.Duplicate(end)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	for _, held := range [][]byte{at.ToUpstream.Bytes, at.ToDownstream.Bytes} {
		if len(held) == 0 {
			continue
		}
		fd, err := stash(held)
		if err != nil {
			return err
		}
		fds = append(fds, fd)
	}
	m := &Message{Leg: &Leg{
		ID: id, Pod: pod, Leg: trimmed(o.Leg), ToUpstream: len(at.ToUpstream.Bytes), ToDownstream: len(at.ToDownstream.Bytes),
	}}
	if err := c.Send(m, legWithin, fds...); err != nil {
		return fmt.Errorf("send a connection: %w", err)
	}
	answer, rest, err := c.Receive(legWithin)
	if err != nil {
		_ = c.unix.CloseRead()
		if last, more, lerr := c.Receive(legWithin); lerr == nil { // it came just before that
			answer, rest, err = last, more, nil
		}
	}
	CloseAll(rest)
	switch {
	case err != nil:
		return fmt.Errorf("the answer to a connection: %w", err)
	case answer.Answer == nil || answer.Answer.ID != id:
		return errors.New("the answer to a connection is something else")
	case answer.Answer.Why != "":
		return fmt.Errorf("%w: %s", ErrRefused, answer.Answer.Why)
	}
	return nil
}

// stash puts bytes into a file of memory.
func stash(b []byte) (int, error) {
	fd, err := unix.MemfdCreate("troupe-held", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("memfd_create", err)
	}
	for at := 0; at < len(b); {
		n, err := unix.Pwrite(fd, b[at:], int64(at))
		if err != nil {
			_ = unix.Close(fd)
			return -1, os.NewSyscallError("pwrite", err)
		}
		at += n
	}
	return fd, nil
}

// Take makes a leg of a message and its descriptors, which it owns.
func Take(m *Leg, fds []int) (*messages.AdoptLeg, error) {
	rest := fds
	defer func() { CloseAll(rest) }()
	next := func() int {
		fd := rest[0]
		rest = rest[1:]
		return fd
	}
	if len(fds) != (&Message{Leg: m}).descriptors() {
		return nil, fmt.Errorf("%d descriptors", len(fds))
	}
	leg := m.Leg
	downstream, err := socket.AdoptConn(next())
	if err != nil {
		return nil, fmt.Errorf("downstream: %w", err)
	}
	upstream, err := socket.AdoptConn(next())
	if err != nil {
		_ = downstream.Close()
		return nil, fmt.Errorf("upstream: %w", err)
	}
	a := &messages.AdoptLeg{Leg: leg, Downstream: downstream, Upstream: upstream}
	for _, h := range []struct {
		size int
		into *[]byte
	}{{m.ToUpstream, &a.Leg.At.ToUpstream.Bytes}, {m.ToDownstream, &a.Leg.At.ToDownstream.Bytes}} {
		if h.size == 0 {
			continue
		}
		if *h.into, err = unstash(next(), h.size); err != nil {
			a.Undeliver()
			return nil, err
		}
	}
	return a, nil
}

// unstash reads the held bytes of one direction. A regular file can't make it wait.
func unstash(fd, size int) ([]byte, error) {
	file := os.NewFile(uintptr(fd), "held")
	if file == nil {
		return nil, os.ErrInvalid
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(size) {
		return nil, errors.Join(fmt.Errorf("the held bytes are not a file of %d bytes", size), err)
	}
	b := make([]byte, size)
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, int64(size)), b); err != nil {
		return nil, fmt.Errorf("the held bytes: %w", err)
	}
	return b, nil
}
