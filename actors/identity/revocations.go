package identity

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/filewatch"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// RoleRevocations is the role of the actor that watches the revocation lists.
const RoleRevocations = "revocations"

const (
	// settle is how long after a change the file is read: an update has several steps (spec/control.md §5.10).
	settle = 2 * time.Second
	// lookAgain is how often a directory that can't be watched is looked at.
	lookAgain = 30 * time.Second
	// reminder is after how long everybody is told of a change once more: a notice that got lost must not leave a tunnel to
	// a revoked peer.
	reminder = 10 * time.Second
	// maxRevocationWatchers bounds the subscribers: the tunnels of a node.
	maxRevocationWatchers = 1 << 18
)

// RevocationsConfig is what the actor needs. Lists is required.
type RevocationsConfig struct {
	// Lists are the lists that all handshakes of the node are held against.
	Lists *mtls.Revocations
	// Watch begins to watch the directory of a file; nil means by inotify.
	Watch func(path string) (DirectoryWatch, error)
	// Counters, where not nil, are told what was read.
	Counters *RevocationCounters
	// Log takes the lines about the file; nil for none.
	Log *logs.Logger
}

// DirectoryWatch waits for changes, as a filewatch.Watcher does.
type DirectoryWatch interface {
	Next(ctx context.Context, settle time.Duration) error
	Close() error
}

var _ DirectoryWatch = (*filewatch.Watcher)(nil)

// RevocationsSpec declares the actor that reads the revocation lists anew when their directory changes, and then tells
// everybody who has a tunnel. It understands messages.WatchRevocations and UnwatchRevocations.
//
// A file that is broken, or has vanished, leaves the lists as they are. Where the directory can't be watched it is looked
// at now and then, which the reference does not do.
func RevocationsSpec(c RevocationsConfig) kit.Spec {
	if c.Watch == nil {
		c.Watch = func(path string) (DirectoryWatch, error) { return filewatch.New(path) }
	}
	if c.Counters == nil {
		c.Counters = &RevocationCounters{}
	}
	if c.Log == nil {
		c.Log = logs.Discard().Scope("ztunnel::tls::crl")
	}
	watchers, told := map[string]*actor.PID{}, c.Lists.Version() // tunnels outlive the actor's lives
	return kit.Spec{
		Role: RoleRevocations, Capacity: capacity,
		New: func() actor.Actor { return &revocations{config: c, watchers: watchers, told: &told} },
	}
}

// revocations owns what is known of revoked certificates.
type revocations struct {
	config   RevocationsConfig
	watchers map[string]*actor.PID
	told     *uint64 // the version that everybody has been told of
	unseen   error   // why the directory can't be watched
	broken   string  // the last complaint about the file
}

// looked is a look at the file. It owns the watch, which is nil where there is none.
type looked struct {
	watch DirectoryWatch
	lists *mtls.RevocationLists
	err   error // of the file
	blind error // of the watch
}

var _ messages.Undeliverable = (*looked)(nil)

// Undeliver ends a watch that nobody waits for any more.
func (l *looked) Undeliver() {
	if l.watch != nil {
		_ = l.watch.Close()
	}
}

// look says that it is time to; remind that it is to tell of a change once more.
type (
	look   struct{}
	remind struct{}
)

// Receive takes the actor's messages.
func (r *revocations) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		r.look(ctx, nil)
	case *looked:
		r.looked(ctx, m)
	case *look:
		r.look(ctx, nil)
	case *remind:
		r.tell(ctx)
	case *messages.WatchRevocations:
		r.watch(ctx, m)
	case *messages.UnwatchRevocations:
		r.unwatch(ctx)
	case *actor.Terminated:
		delete(r.watchers, m.Who.Id)
	default:
		kit.Unknown(ctx)
	}
}

// look waits for a change and reads the file, or reads it at once where the watch begins: it may have changed before.
func (r *revocations) look(ctx actor.Context, watch DirectoryWatch) {
	lists, begin := r.config.Lists, r.config.Watch
	kit.Go(ctx, func(stopped context.Context) any {
		seen := &looked{watch: watch}
		if watch == nil {
			if watch, seen.blind = begin(lists.Path()); seen.blind == nil {
				seen.watch = watch
			}
		} else if err := watch.Next(stopped, settle); err != nil {
			_ = watch.Close()
			if stopped.Err() != nil {
				return nil
			}
			seen.watch, seen.blind = nil, err
		}
		seen.lists, seen.err = lists.Reload()
		return seen
	})
}

func (r *revocations) looked(ctx actor.Context, m *looked) {
	r.report(m)
	if m.lists != nil && m.lists.Version() != *r.told {
		r.tell(ctx)
		*r.told = m.lists.Version() // a crash on the way tells everybody again
		kit.After(ctx, reminder, &remind{})
	}
	if m.watch == nil {
		kit.After(ctx, lookAgain, &look{})
		return
	}
	r.look(ctx, m.watch)
}

// tell has all tunnels judged again, in an order that a map does not decide.
func (r *revocations) tell(ctx actor.Context) {
	for _, name := range slices.Sorted(maps.Keys(r.watchers)) {
		ctx.Send(r.watchers[name], &messages.RevocationsChanged{})
	}
}

func (r *revocations) watch(ctx actor.Context, m *messages.WatchRevocations) {
	who := ctx.Sender()
	if who == nil {
		return
	}
	if _, known := r.watchers[who.Id]; !known {
		if len(r.watchers) >= maxRevocationWatchers {
			ctx.Send(who, &messages.RevocationsUnwatched{})
			return
		}
		r.watchers[who.Id] = who
		ctx.Watch(who)
	}
	if m.Version != r.config.Lists.Version() {
		ctx.Send(who, &messages.RevocationsChanged{})
	}
}

func (r *revocations) unwatch(ctx actor.Context) {
	if who := ctx.Sender(); who != nil {
		delete(r.watchers, who.Id)
		ctx.Unwatch(who)
	}
}

// report logs what became of a look; the same complaint is made once.
func (r *revocations) report(m *looked) {
	log, path := r.config.Log, r.config.Lists.Path()
	if (m.blind == nil) != (r.unseen == nil) && m.blind != nil {
		log.Warn("the directory of CRL_PATH can't be watched; it is looked at every "+lookAgain.String()).
			Str(messages.FieldPath, path).Err(m.blind).Send()
	}
	r.unseen = m.blind
	switch {
	case m.err == nil && m.lists.Version() != *r.told:
		r.broken = ""
		r.config.Counters.Loaded.Add(1)
		log.Info("revocation lists loaded").Str(messages.FieldPath, path).
			Uint(messages.FieldLists, uint64(m.lists.Len())).Uint(messages.FieldRevoked, uint64(m.lists.Revoked())).Send()
	case m.err != nil && m.err.Error() != r.broken:
		r.broken = m.err.Error()
		r.config.Counters.Failed.Add(1)
		kept := "the revocation lists can't be read; those that were loaded before stay in force"
		if m.lists == nil && errors.Is(m.err, os.ErrNotExist) {
			kept = "the file of CRL_PATH does not exist yet; every verification looks for it"
		}
		log.Warn(kept).Str(messages.FieldPath, path).Err(m.err).Send()
	}
}
