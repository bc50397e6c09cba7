package filewatch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const settle = 50 * time.Millisecond

// watched is a directory with a file in it.
func watched(t *testing.T) (dir string, w *Watcher) {
	t.Helper()
	dir = t.TempDir()
	write(t, filepath.Join(dir, "file"), "old")
	w, err := New(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	return dir, w
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryKindOfChangeIsTold(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, dir string){
		"written": func(t *testing.T, dir string) { write(t, dir+"/file", "new") },
		"created": func(t *testing.T, dir string) { write(t, dir+"/another", "new") },
		"removed": func(t *testing.T, dir string) { must(t, os.Remove(dir+"/file")) },
		"replaced": func(t *testing.T, dir string) {
			write(t, dir+"/tmp", "new")
			must(t, os.Rename(dir+"/tmp", dir+"/file"))
		},
		"mode": func(t *testing.T, dir string) { must(t, os.Chmod(dir+"/file", 0o644)) },
		"as Kubernetes does": func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir+"/..2", 0o700))
			write(t, dir+"/..2/file", "new")
			must(t, os.Symlink("..2", dir+"/..data_tmp"))
			must(t, os.Rename(dir+"/..data_tmp", dir+"/..data"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, w := watched(t)
			change(t, dir)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if err := w.Next(ctx, settle); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestManyChangesAreToldOnce(t *testing.T) {
	dir, w := watched(t)
	for range 1000 { // more than the buffer holds
		write(t, dir+"/file-with-a-name-that-is-somewhat-long", "new")
	}
	must(t, w.Next(t.Context(), settle))
	ctx, cancel := context.WithTimeout(t.Context(), 2*settle)
	defer cancel()
	if err := w.Next(ctx, settle); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("told again: %v", err)
	}
}

// TestEndlessChangesAreTold: whoever writes all the time must not keep a change from being told.
func TestEndlessChangesAreTold(t *testing.T) {
	dir, w := watched(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
				_ = os.WriteFile(dir+"/file", nil, 0o600)
			}
		}
	}()
	err := w.Next(ctx, settle)
	close(done)
	<-ended
	cancel()
	must(t, err)
}

func TestTheEndOfTheContextEndsTheWait(t *testing.T) {
	_, w := watched(t)
	why := errors.New("because")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(settle, func() { cancel(why) })
	if err := w.Next(ctx, time.Hour); !errors.Is(err, why) {
		t.Errorf("ended with %v", err)
	}
}

func TestTheDirectoryGoesAway(t *testing.T) {
	dir, w := watched(t)
	must(t, os.RemoveAll(dir))
	var err error
	for err == nil { // the file's end comes first
		err = w.Next(t.Context(), settle)
	}
	if !errors.Is(err, ErrGone) {
		t.Errorf("ended with %v", err)
	}
}

func TestDirectoriesThatCannotBeWatched(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/file", "")
	for _, path := range []string{dir + "/missing/file", dir + "/file/file"} {
		if w, err := New(path); err == nil {
			_ = w.Close()
			t.Errorf("%s is watched", path)
		}
	}
}
