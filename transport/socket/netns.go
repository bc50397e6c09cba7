package socket

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// InNamespace runs do in the network namespace that fd refers to, on a thread of its own, and returns when do has.
// Sockets that do creates stay in that namespace. do must not block for long, since it occupies a thread, nor
// start goroutines that expect to be there. If the thread can't return to its own namespace it ends.
func InNamespace(fd int, do func() error) error {
	type outcome struct {
		err   error
		panic any
	}
	result := make(chan outcome, 1)
	go func() {
		out := outcome{err: fmt.Errorf("in network namespace: %w", errExited)}
		defer func() {
			if p := recover(); p != nil {
				out.panic = p
			}
			result <- out
		}()
		out.err = inNamespace(fd, do)
	}()
	out := <-result
	if out.panic != nil {
		panic(out.panic)
	}
	return out.err
}

// InNamespacePath is InNamespace for a namespace that has a name, such as /var/run/netns/x or /proc/1/ns/net.
func InNamespacePath(path string, do func() error) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open network namespace %s: %w", path, err)
	}
	defer func() { _ = unix.Close(fd) }()
	return InNamespace(fd, do)
}

var errExited = fmt.Errorf("the function ended its goroutine")

func inNamespace(fd int, do func() error) (err error) {
	runtime.LockOSThread()
	home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("open own network namespace: %w", err)
	}
	defer func() { _ = unix.Close(home) }()
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace: %w", err)
	}
	defer func() {
		if back := unix.Setns(home, unix.CLONE_NEWNET); back == nil {
			runtime.UnlockOSThread() // else the thread dies with this goroutine
		} else if err == nil {
			err = fmt.Errorf("return from network namespace: %w", back)
		}
	}()
	return do()
}
