package handover

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Door is where a process awaits its successor.
type Door struct {
	unix *net.UnixListener
	path string
	// device and inode are the socket file's: only ours is removed.
	device, inode uint64
	close         sync.Once
}

// Listen takes path for the process, also from an earlier one that still has it. The file has mode 0600 before it is
// there under its name.
func Listen(path string) (*Door, error) {
	staged := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+strconv.Itoa(os.Getpid()))
	_ = os.Remove(staged) // of a process that had our number and was killed
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: staged, Net: "unixpacket"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	d := &Door{unix: l, path: path}
	err = os.Chmod(staged, 0o600)
	if err == nil {
		d.device, d.inode, err = fileID(staged)
	}
	if err == nil {
		err = os.Rename(staged, path)
	}
	if err != nil {
		_ = l.Close()
		_ = os.Remove(staged)
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	return d, nil
}

// Accept waits for a successor. One that runs as another user is an error; the door stays open.
func (d *Door) Accept() (*Conn, error) {
	c, err := d.unix.AcceptUnix()
	if err != nil {
		return nil, err
	}
	return known(c)
}

// Close stops waiting, and removes the file unless a successor has taken its name. A second time it does nothing: the
// file's number may be another file's by then. A successor must not make its door at the same time.
func (d *Door) Close() (err error) {
	d.close.Do(func() { err = d.shut() })
	return err
}

func (d *Door) shut() error {
	if device, inode, err := fileID(d.path); err == nil && device == d.device && inode == d.inode {
		_ = os.Remove(d.path)
	}
	return d.unix.Close()
}

// fileID is what tells one file from another.
func fileID(path string) (device, inode uint64, err error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return 0, 0, os.NewSyscallError("lstat", err)
	}
	return st.Dev, st.Ino, nil
}

// OwnNamespace is the network namespace of the process.
func OwnNamespace() (Namespace, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/net", &st); err != nil {
		return Namespace{}, os.NewSyscallError("stat", err)
	}
	return Namespace{Device: st.Dev, Inode: st.Ino}, nil
}
