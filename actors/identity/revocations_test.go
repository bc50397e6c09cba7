package identity

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// directory is a watched directory of a test.
type directory struct {
	changed        chan error // nil for a change, otherwise the end of the watch
	opened, closed atomic.Int64
	refused        atomic.Bool
}

func (d *directory) begin(string) (DirectoryWatch, error) {
	if d.refused.Load() {
		return nil, errors.New("no directory")
	}
	d.opened.Add(1)
	return d, nil
}

// Next is the watch's.
func (d *directory) Next(ctx context.Context, _ time.Duration) error {
	select {
	case err := <-d.changed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close is the watch's.
func (d *directory) Close() error { d.closed.Add(1); return nil }

// tunnel counts what a subscriber hears.
type tunnel struct{ changed atomic.Int64 }

// Receive counts.
func (u *tunnel) Receive(ctx actor.Context) {
	if _, ok := ctx.Message().(*messages.RevocationsChanged); ok {
		u.changed.Add(1)
	}
}

// register is the actor with its file.
type register struct {
	*testing.T
	system      *kit.System
	pid         *actor.PID
	path        string
	lists       *mtls.Revocations
	dir         *directory
	counts      *RevocationCounters
	serial      int64
	subscribers int
}

func keep(t *testing.T, refused bool, play func(r *register)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &register{
			T: t, system: kit.NewSystem(kit.Config{}), path: t.TempDir() + "/crl.pem", counts: &RevocationCounters{},
			dir: &directory{changed: make(chan error)},
		}
		r.dir.refused.Store(refused)
		var err error
		if r.lists, err = mtls.NewRevocations(r.path); err != nil {
			t.Fatal(err)
		}
		if r.pid, err = r.system.SpawnRoot(RevocationsSpec(RevocationsConfig{
			Lists: r.lists, Watch: r.dir.begin, Counters: r.counts,
		}), RoleRevocations); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		play(r)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := r.system.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if begun, ended := r.dir.opened.Load(), r.dir.closed.Load(); begun != ended {
			t.Errorf("%d watches were begun and %d ended", begun, ended)
		}
	})
}

// subscribe is a new subscriber that has judged by version.
func (r *register) subscribe(version uint64) (*tunnel, *actor.PID) {
	r.Helper()
	r.subscribers++
	u := &tunnel{}
	pid, err := r.system.SpawnRoot(kit.Spec{Role: "tunnel", Capacity: 64, New: func() actor.Actor { return u }}, fmt.Sprintf("tunnel%d", r.subscribers))
	if err != nil {
		r.Fatal(err)
	}
	r.system.Actors().Root.RequestWithCustomSender(r.pid, &messages.WatchRevocations{Version: version}, pid)
	synctest.Wait()
	return u, pid
}

// write puts a new list into the file.
func (r *register) write() {
	r.Helper()
	a, err := mtls.NewAuthority(mtls.AuthorityOptions{})
	if err != nil {
		r.Fatal(err)
	}
	r.serial++
	list, err := a.RevocationList(big.NewInt(r.serial))
	if err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(r.path, list, 0o600); err != nil {
		r.Fatal(err)
	}
}

func (r *register) change() {
	r.dir.changed <- nil
	synctest.Wait()
}

func TestSubscribersHearOfChanges(t *testing.T) {
	keep(t, false, func(r *register) {
		u, pid := r.subscribe(0)
		r.change() // there is no file yet
		if u.changed.Load() != 0 {
			r.Fatal("told of nothing")
		}
		r.write()
		r.change()
		r.change() // of another file
		if u.changed.Load() != 1 || r.counts.Loaded.Load() != 1 {
			r.Fatalf("told %d times, loaded %d times: want once", u.changed.Load(), r.counts.Loaded.Load())
		}
		late, _ := r.subscribe(0)
		current, _ := r.subscribe(1)
		if late.changed.Load() != 1 || current.changed.Load() != 0 {
			r.Errorf("who judged by old lists was told %d times, who judged by new ones %d times", late.changed.Load(), current.changed.Load())
		}
		r.system.Actors().Root.RequestWithCustomSender(r.pid, &messages.UnwatchRevocations{}, pid)
		synctest.Wait()
		r.write()
		r.change()
		if u.changed.Load() != 1 || current.changed.Load() != 1 {
			r.Errorf("told %d and %d times: want none of who left", u.changed.Load(), current.changed.Load())
		}
		if err := os.Remove(r.path); err != nil {
			r.Fatal(err)
		}
		r.change()
		if r.counts.Failed.Load() == 0 || current.changed.Load() != 1 || r.lists.Current().Revoked() != 1 {
			r.Error("a file that vanished changed something, or was not noticed")
		}
	})
}

// What a handshake loads before the directory is read is told as well.
func TestListsLoadedByAHandshakeAreTold(t *testing.T) {
	keep(t, false, func(r *register) {
		u, _ := r.subscribe(0)
		r.write()
		if _, err := r.lists.Reload(); err != nil {
			r.Fatal(err)
		}
		r.change()
		if u.changed.Load() != 1 {
			r.Errorf("told %d times", u.changed.Load())
		}
	})
}

func TestADirectoryThatCannotBeWatchedIsLookedAt(t *testing.T) {
	keep(t, true, func(r *register) {
		u, _ := r.subscribe(0)
		r.write()
		<-time.After(lookAgain + time.Second)
		synctest.Wait()
		if u.changed.Load() != 1 {
			r.Fatalf("told %d times", u.changed.Load())
		}
		r.dir.refused.Store(false)
		<-time.After(lookAgain)
		synctest.Wait()
		if r.dir.opened.Load() != 1 {
			r.Error("it is not watched once it can be")
		}
		r.dir.changed <- errors.New("the directory is gone")
		synctest.Wait()
		<-time.After(lookAgain + time.Second)
		synctest.Wait()
		if begun, ended := r.dir.opened.Load(), r.dir.closed.Load(); begun != 2 || ended != 1 {
			r.Errorf("watched %d times, ended %d times after it was gone: want 2 and 1", begun, ended)
		}
	})
}
