package mtls

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

// Revocations are the revocation lists of a file (CRL_PATH) as they are now. A file that is missing when they are made
// is looked for at every verification until it is there; after that only Reload reads it, and what can't be read leaves
// the lists as they are (spec/control.md §5.10). A nil *Revocations has none.
type Revocations struct {
	path    string
	current atomic.Pointer[RevocationLists]

	mu     sync.Mutex  // held while the file is read
	failed os.FileInfo // the file that could not be used when it was looked for
}

// NewRevocations reads the file at path for the first time. A missing file is no error.
func NewRevocations(path string) (*Revocations, error) {
	r := &Revocations{path: path}
	if _, err := r.Reload(); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return r, nil
}

// Reload reads the file anew and returns the lists that count from now on. On an error, one that os.IsNotExist knows for
// a missing file, those that counted before still do.
func (r *Revocations) Reload() (*RevocationLists, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reload()
}

func (r *Revocations) reload() (*RevocationLists, error) {
	content, err := readBounded(r.path, maxRevocationFile)
	if err != nil {
		return r.current.Load(), err
	}
	sum := sha256.Sum256(content)
	if now := r.current.Load(); now != nil && now.sum == sum {
		return now, nil // much changes around a file
	}
	lists, err := ParseRevocationLists(content)
	if err != nil {
		return r.current.Load(), fmt.Errorf("revocation lists in %s: %w", r.path, err)
	}
	lists.version, lists.sum = r.Version()+1, sum
	r.current.Store(lists)
	return lists, nil
}

// readBounded reads a file; its error is that of package os when there is none.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > most {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return content, nil
}

// Path is the file.
func (r *Revocations) Path() string { return r.path }

// Current are the lists as they were read last; nil when the file was never read.
func (r *Revocations) Current() *RevocationLists { return r.current.Load() }

// Version counts the times that the lists were read and had changed; 0 means not yet.
func (r *Revocations) Version() uint64 {
	if r == nil {
		return 0
	}
	if l := r.current.Load(); l != nil {
		return l.version
	}
	return 0
}

// lists are the lists to verify by, nil for none. A file that can't be used is not read again before it has changed.
func (r *Revocations) lists() *RevocationLists {
	if r == nil {
		return nil
	}
	if l := r.current.Load(); l != nil {
		return l
	}
	info, err := os.Stat(r.path)
	if err != nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if l := r.current.Load(); l != nil {
		return l
	}
	if r.failed != nil && os.SameFile(r.failed, info) && r.failed.ModTime().Equal(info.ModTime()) && r.failed.Size() == info.Size() {
		return nil
	}
	l, err := r.reload()
	if err != nil {
		r.failed = info
		return nil
	}
	return l
}
