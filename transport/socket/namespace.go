package socket

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/troupe-mesh/troupe/messages"
)

// Namespace is a handle of a network namespace. While one is open the namespace lives, even when its pod has gone. Its
// methods may be called from any goroutine.
type Namespace struct {
	shared *sharedNamespace
	closed atomic.Bool
}

// sharedNamespace is the descriptor that all handles of one namespace have in common.
type sharedNamespace struct {
	file    *os.File
	id      messages.NamespaceID
	handles atomic.Int64
}

var _ messages.PodNamespace = (*Namespace)(nil)

// NewNamespace takes over a descriptor of a network namespace, also when it fails.
func NewNamespace(fd int) (*Namespace, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("look at network namespace: %w", err)
	}
	s := &sharedNamespace{
		file: os.NewFile(uintptr(fd), "netns"), id: messages.NamespaceID{Device: stat.Dev, Inode: stat.Ino},
	}
	s.handles.Store(1)
	return &Namespace{shared: s}, nil
}

// OwnNamespace is the one that the process is in.
func OwnNamespace() (*Namespace, error) {
	fd, err := unix.Open("/proc/self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open own network namespace: %w", err)
	}
	return NewNamespace(fd)
}

// ID tells namespaces apart.
func (n *Namespace) ID() messages.NamespaceID { return n.shared.id }

// Share makes another handle, which is closed by itself. A handle that is closed gives one that is closed.
func (n *Namespace) Share() messages.PodNamespace { return n.share() }

func (n *Namespace) share() *Namespace {
	other := &Namespace{shared: n.shared}
	for {
		held := n.shared.handles.Load()
		if held == 0 || n.closed.Load() {
			other.closed.Store(true)
			return other
		}
		if n.shared.handles.CompareAndSwap(held, held+1) {
			return other
		}
	}
}

// Do runs do inside, as InNamespace does. After Close it returns net.ErrClosed.
func (n *Namespace) Do(do func() error) error {
	if n.closed.Load() {
		return fmt.Errorf("enter network namespace: %w", net.ErrClosed)
	}
	raw, err := n.shared.file.SyscallConn()
	if err != nil {
		return fmt.Errorf("enter network namespace: %w", err)
	}
	return control(raw, func(fd int) error { return InNamespace(fd, do) })
}

// Descriptor runs do with the descriptor, which stays the handle's. After Close it returns net.ErrClosed.
func (n *Namespace) Descriptor(do func(fd int) error) error {
	if n.closed.Load() {
		return net.ErrClosed
	}
	raw, err := n.shared.file.SyscallConn()
	if err != nil {
		return err
	}
	return control(raw, do)
}

// Close lets go of the namespace. Whoever is inside stays until he is done. A second time it does nothing.
func (n *Namespace) Close() error {
	if n.closed.Swap(true) || n.shared.handles.Add(-1) > 0 {
		return nil
	}
	return n.shared.file.Close()
}

// CheckPrivileges finds out at the start whether the process may do what in-pod mode needs: enter namespaces and mark
// sockets (spec/ops.md §2.2).
func CheckPrivileges(mark uint32) error {
	own, err := OwnNamespace()
	if err != nil {
		return err
	}
	defer func() { _ = own.Close() }()
	return own.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		defer func() { _ = unix.Close(fd) }()
		return setMark(fd, mark)
	})
}
