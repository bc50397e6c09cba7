package mtls

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const (
	remedyRemove = "remove it and start again, and a new one is made (every process that uses the directory must restart)"
	// maxSharedFile bounds what is read: a real one has less than 2 KiB.
	maxSharedFile = 64 << 10
)

// SharedFileError says which file or directory of a shared authority can't be used, why, and what to do.
type SharedFileError struct {
	Path, Remedy string
	Err          error
}

// Error names the path, the cause and the remedy.
func (e *SharedFileError) Error() string {
	return fmt.Sprintf("shared certificate authority %s: %v: %s", e.Path, e.Err, e.Remedy)
}

// Unwrap is the cause.
func (e *SharedFileError) Unwrap() error { return e.Err }

// readPrivate reads a file that only its owner, who is us, may read or write. It looks at the file that it opened, not
// at what the path may name a moment later.
func readPrivate(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &SharedFileError{Path: path, Remedy: "make it a regular file that this user can read, or " + remedyRemove, Err: err}
	}
	defer f.Close()
	if err := checkPrivate(f); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, maxSharedFile+1))
	if err != nil {
		return nil, &SharedFileError{Path: path, Remedy: remedyRemove, Err: err}
	}
	if len(content) > maxSharedFile {
		return nil, &SharedFileError{Path: path, Remedy: remedyRemove, Err: fmt.Errorf("larger than %d bytes", maxSharedFile)}
	}
	return content, nil
}

func checkPrivate(f *os.File) error {
	var s unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &s); err != nil {
		return &SharedFileError{Path: f.Name(), Remedy: remedyRemove, Err: fmt.Errorf("fstat: %w", err)}
	}
	switch {
	case s.Mode&unix.S_IFMT != unix.S_IFREG:
		return &SharedFileError{Path: f.Name(), Remedy: remedyRemove, Err: fmt.Errorf("not a regular file")}
	case s.Mode&0o077 != 0:
		return &SharedFileError{
			Path: f.Name(), Remedy: "chmod 600 it if nobody else has read it, otherwise " + remedyRemove,
			Err: fmt.Errorf("its mode is %#o: others can reach the key", s.Mode&0o7777),
		}
	case s.Uid != uint32(os.Geteuid()):
		return &SharedFileError{
			Path: f.Name(), Remedy: "run all processes as one user, or use another directory",
			Err: fmt.Errorf("it belongs to user %d, and this is user %d", s.Uid, os.Geteuid()),
		}
	}
	return nil
}

// checkDirectory refuses a directory in which others may replace files.
func checkDirectory(dir string) error {
	var s unix.Stat_t
	if err := unix.Stat(dir, &s); err != nil {
		return &SharedFileError{Path: dir, Remedy: "name a directory that can be used", Err: fmt.Errorf("stat: %w", err)}
	}
	switch me := uint32(os.Geteuid()); {
	case s.Mode&0o022 != 0 && s.Mode&unix.S_ISVTX == 0:
		return &SharedFileError{
			Path: dir, Remedy: "chmod go-w it, or use another directory",
			Err: fmt.Errorf("its mode is %#o: others can replace what is in it", s.Mode&0o7777),
		}
	case s.Uid != me && s.Uid != 0:
		return &SharedFileError{
			Path: dir, Remedy: "use a directory of this user",
			Err: fmt.Errorf("it belongs to user %d, and this is user %d", s.Uid, me),
		}
	}
	return nil
}
