package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace is one network namespace, kept alive by a descriptor. Its methods may be called from any goroutine.
type Namespace struct {
	name string
	file *os.File
}

// newNamespace makes an empty network namespace.
func newNamespace(name string) (*Namespace, error) {
	type made struct {
		file *os.File
		err  error
	}
	done := make(chan made, 1)
	go func() {
		// The thread is left locked: it ends with the goroutine and takes the new namespace with it.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- made{err: fmt.Errorf("making network namespace %s: %w", name, err)}
			return
		}
		file, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			err = fmt.Errorf("opening network namespace %s: %w", name, err)
		}
		done <- made{file, err}
	}()
	m := <-done
	if m.err != nil {
		return nil, m.err
	}
	return &Namespace{name: name, file: m.file}, nil
}

// Name is what the test calls the namespace.
func (n *Namespace) Name() string { return n.name }

// Close lets go of the namespace; it ends when the last process in it ends.
func (n *Namespace) Close() error { return n.file.Close() }

// File is the namespace's descriptor. It belongs to the Namespace.
func (n *Namespace) File() *os.File { return n.file }

// Do runs f with its goroutine's thread inside the namespace. Goroutines that f starts are not inside.
func (n *Namespace) Do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- fmt.Errorf("opening the thread's own network namespace: %w", err)
			return
		}
		defer func() { _ = home.Close() }()
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering network namespace %s: %w", n.name, err)
			return
		}
		err = f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back == nil {
			runtime.UnlockOSThread() // otherwise the thread ends with the goroutine
		}
		done <- err
	}()
	return <-done
}

// StartProcess starts cmd inside the namespace.
func (n *Namespace) StartProcess(cmd *exec.Cmd) error {
	return n.Do(cmd.Start) // the child inherits the namespace of the thread that forks
}

// Dial connects from inside the namespace; addr's host is an IP address.
func (n *Namespace) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var conn net.Conn
	err := n.Do(func() error {
		var d net.Dialer
		var err error
		conn, err = d.DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// sysctl sets net.* values inside the namespace; names are paths below /proc/sys/net.
func (n *Namespace) sysctl(values map[string]string) error {
	return n.Do(func() error {
		for name, value := range values {
			if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0o644); err != nil {
				return fmt.Errorf("setting net/%s=%s in %s: %w", name, value, n.name, err)
			}
		}
		return nil
	})
}
