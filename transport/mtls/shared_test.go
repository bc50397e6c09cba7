package mtls

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

func TestSharedAuthorityIsOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca", "of", "all")
	const processes = 16
	found := make([]*Authority, processes)
	var wg sync.WaitGroup
	for i := range found {
		wg.Go(func() {
			a, err := SharedAuthority(dir, AuthorityOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			found[i] = a
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, a := range found {
		if a.RootPEM() != found[0].RootPEM() {
			t.Fatal("two processes with different roots")
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != SharedFile {
		t.Fatalf("left behind: %v", entries)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode() != 0o600 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	first, last := issued(t, found[0], alice), issued(t, found[processes-1], bob)
	if o := handshake(t, first.ClientConfig([]messages.Identity{bob}, Options{}), last.ServerConfig(Options{})); !o.ok() {
		t.Fatal(o.err())
	}
}

func TestPlaceKeepsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for range 2 {
		if err := place(path, []byte("first")); err != nil {
			t.Fatal(err)
		}
	}
	if err := place(path, []byte("second")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "first" {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestSharedFileRefused(t *testing.T) {
	good, err := newTestAuthority(t, AuthorityOptions{}).encode()
	if err != nil {
		t.Fatal(err)
	}
	other, err := newTestAuthority(t, AuthorityOptions{}).encode()
	if err != nil {
		t.Fatal(err)
	}
	old, err := newTestAuthority(t, AuthorityOptions{Now: func() time.Time { return time.Now().AddDate(-20, 0, 0) }}).encode()
	if err != nil {
		t.Fatal(err)
	}
	split := bytes.Index(good, []byte("-----BEGIN CERTIFICATE"))
	key, cert := good[:split], good[split:]
	otherKey := other[:bytes.Index(other, []byte("-----BEGIN CERTIFICATE"))]
	leaf := []byte(workload(t, newRoot(t, "root", nil), alice).leafPEM())
	for _, tt := range []struct {
		name    string
		content []byte
		mode    os.FileMode
		want    string
	}{
		{"empty", nil, 0o600, "want one PEM block PRIVATE KEY and one CERTIFICATE"},
		{"key only", key, 0o600, "want one PEM block PRIVATE KEY and one CERTIFICATE"},
		{"certificate only", cert, 0o600, "want one PEM block PRIVATE KEY and one CERTIFICATE"},
		{"cut short", good[:len(good)-10], 0o600, "holds something that is not PEM"},
		{"two certificates", append(bytes.Clone(good), cert...), 0o600, `unexpected PEM block "CERTIFICATE"`},
		{"another block", append(bytes.Clone(good), "-----BEGIN X-----\n-----END X-----\n"...), 0o600, `unexpected PEM block "X"`},
		{"broken key", append([]byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"), cert...), 0o600, "parsing its private key"},
		{"key of another", append(bytes.Clone(otherKey), cert...), 0o600, "do not belong together"},
		{"root is no CA", append(bytes.Clone(key), leaf...), 0o600, "can't be a root: not a CA"},
		{"expired", old, 0o600, "its root expired at"},
		{"too large", bytes.Repeat([]byte{'\n'}, maxSharedFile+1), 0o600, "larger than 65536 bytes"},
		{"group may read", good, 0o640, "its mode is 0640: others can reach the key: chmod 600 it"},
		{"others may write", good, 0o602, "its mode is 0602"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, SharedFile)
			if err := os.WriteFile(path, tt.content, tt.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			refused(t, dir, path, tt.want)
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, tt.content) {
				t.Errorf("the file was changed, %v", err)
			}
		})
	}
}

// refused wants an error that names path, says want and tells what to do.
func refused(t *testing.T, dir, path, want string) {
	t.Helper()
	_, err := SharedAuthority(dir, AuthorityOptions{})
	var e *SharedFileError
	if !errors.As(err, &e) {
		t.Fatalf("error %v: want a *SharedFileError", err)
	}
	if e.Path != path || e.Remedy == "" || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
		t.Fatalf("error %q: want it to name %s and say %q", err, path, want)
	}
}

func TestSharedPlaceRefused(t *testing.T) {
	t.Run("link", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, SharedFile)
		if err := os.Symlink("/dev/null", path); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, path, "make it a regular file")
	})
	t.Run("directory in its place", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, SharedFile)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, path, "not a regular file")
	})
	t.Run("others may replace it", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, dir, "others can replace what is in it")
	})
	t.Run("file instead of the directory", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(dir, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, dir, "name a directory")
	})
}

func TestSharedDirectoryForAllWithSticky(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	if _, err := SharedAuthority(dir, AuthorityOptions{}); err != nil {
		t.Fatal(err)
	}
}

func FuzzDecodeAuthority(f *testing.F) {
	good, err := newTestAuthority(f, AuthorityOptions{}).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if key, root, err := decodeAuthority(content); err == nil && (key == nil || !root.IsCA) {
			t.Fatal("accepted what can't sign")
		}
	})
}

// leafPEM is the certificate itself.
func (c *Certificate) leafPEM() string { return string(c.Chain()[0].PEM) }
