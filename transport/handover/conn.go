package handover

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Conn is one side of a conversation. It is not for concurrent use.
type Conn struct{ unix *net.UnixConn }

var errForeigner = errors.New("the other side runs as another user")

// Dial connects to the old process that listens at path. An error that wraps fs.ErrNotExist or ECONNREFUSED says that
// there is none.
func Dial(path string) (*Conn, error) {
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, err
	}
	return known(c)
}

// known checks whom a connection leads to.
func known(c *net.UnixConn) (*Conn, error) {
	raw, err := c.SyscallConn()
	if err == nil {
		cerr := raw.Control(func(fd uintptr) {
			var cred *unix.Ucred
			if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil && cred.Uid != uint32(os.Geteuid()) {
				err = fmt.Errorf("%w: %d", errForeigner, cred.Uid)
			}
		})
		err = errors.Join(err, cerr)
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return &Conn{c}, nil
}

// Close ends the conversation.
func (c *Conn) Close() error { return c.unix.Close() }

// Send sends one message within a time, with descriptors that stay the caller's.
func (c *Conn) Send(m *Message, within time.Duration, fds ...int) error {
	b, err := encode(m)
	if err != nil {
		return err
	}
	if len(fds) != m.descriptors() {
		return fmt.Errorf("%d descriptors, want %d", len(fds), m.descriptors())
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	if err := c.unix.SetWriteDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	_, _, err = c.unix.WriteMsgUnix(b, rights, nil)
	return err
}

// Receive takes one message within a time. The descriptors are the caller's; of a packet that is refused none is left. The
// end of the conversation is io.EOF.
func (c *Conn) Receive(within time.Duration) (*Message, []int, error) {
	if err := c.unix.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, nil, err
	}
	buf, control := make([]byte, maxPacket+1), make([]byte, unix.CmsgSpace(4*maxDescriptors))
	n, controlled, flags, _, err := c.unix.ReadMsgUnix(buf, control)
	fds, rerr := rights(control[:controlled])
	if err == nil {
		err = rerr
	}
	switch {
	case err != nil:
	case n == 0:
		err = io.EOF
	case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		err = errTooLarge
	}
	var m *Message
	if err == nil {
		m, err = decode(buf[:n])
	}
	if err == nil && len(fds) != m.descriptors() {
		err = fmt.Errorf("%d descriptors, want %d", len(fds), m.descriptors())
	}
	if err != nil {
		CloseAll(fds)
		return nil, nil, err
	}
	return m, fds, nil
}

// rights are all descriptors of a packet, also where an error is returned.
func rights(control []byte) (fds []int, err error) {
	if len(control) == 0 {
		return nil, nil
	}
	all, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil, fmt.Errorf("control messages: %w", err)
	}
	for i := range all {
		if all[i].Header.Level != unix.SOL_SOCKET || all[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		some, rerr := unix.ParseUnixRights(&all[i])
		if rerr != nil {
			err = rerr
		}
		fds = append(fds, some...)
	}
	return fds, err
}

// CloseAll closes descriptors.
func CloseAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
