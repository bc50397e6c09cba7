package filewatch

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrGone says that the directory does not exist any more, or was moved away.
var ErrGone = errors.New("the directory is gone")

const (
	changes = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO | unix.IN_MODIFY | unix.IN_CLOSE_WRITE |
		unix.IN_ATTRIB
	ends = unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_IGNORED | unix.IN_UNMOUNT
)

// Watcher watches one directory. One goroutine at a time may use it.
type Watcher struct {
	dir    string
	events *os.File
	buf    [4096]byte // several events; none is longer than a name
}

// New watches the directory that path is in.
func New(path string) (*Watcher, error) {
	dir := filepath.Dir(path)
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w", dir, os.NewSyscallError("inotify_init1", err))
	}
	events := os.NewFile(uintptr(fd), "inotify "+dir)
	if _, err := unix.InotifyAddWatch(fd, dir, changes|ends&^unix.IN_IGNORED&^unix.IN_UNMOUNT|unix.IN_ONLYDIR); err != nil {
		_ = events.Close()
		return nil, fmt.Errorf("watching %s: %w", dir, os.NewSyscallError("inotify_add_watch", err))
	}
	return &Watcher{dir: dir, events: events}, nil
}

// Next waits for a change and then for as long as settle, so that one update of many steps is told once. Its error is
// that of ctx, ErrGone, or the kernel's.
func (w *Watcher) Next(ctx context.Context, settle time.Duration) error {
	if err := w.wait(ctx, time.Time{}); err != nil {
		return err
	}
	for deadline := time.Now().Add(settle); ; {
		switch err := w.wait(ctx, deadline); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return err
		}
	}
}

// wait reads what has happened; it waits for it until deadline, which may be zero, or the end of ctx.
func (w *Watcher) wait(ctx context.Context, deadline time.Time) error {
	if err := w.events.SetReadDeadline(deadline); err != nil {
		return fmt.Errorf("watching %s: %w", w.dir, err)
	}
	interrupt := context.AfterFunc(ctx, func() { _ = w.events.SetReadDeadline(time.Unix(1, 0)) })
	n, err := w.events.Read(w.buf[:])
	interrupt()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil && n == 0:
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("watching %s: %w", w.dir, err)
	}
	if masks(w.buf[:n])&ends != 0 {
		return fmt.Errorf("watching %s: %w", w.dir, ErrGone)
	}
	return nil
}

// masks joins the masks of the events in p: each is watch, mask, cookie and length in 4 bytes, and a name of that length.
func masks(p []byte) (all uint32) {
	for len(p) >= unix.SizeofInotifyEvent {
		all |= binary.NativeEndian.Uint32(p[4:])
		length := int(binary.NativeEndian.Uint32(p[12:]))
		p = p[min(len(p), unix.SizeofInotifyEvent+length):]
	}
	return all
}

// Close ends the watch.
func (w *Watcher) Close() error { return w.events.Close() }
