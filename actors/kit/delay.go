package kit

import (
	"sync"
	"time"
)

// delays are the restarts that wait, at most one for each actor.
type delays struct {
	mu      sync.Mutex
	pending map[*cell]*time.Timer
	stopped bool
}

// after calls restart when d is over, unless the system is shut down first.
func (ds *delays) after(s *System, c *cell, d time.Duration, restart func()) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if ds.stopped {
		return
	}
	if old := ds.pending[c]; old != nil {
		old.Stop()
	}
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		ds.mu.Lock()
		due := ds.pending[c] == t
		if due {
			delete(ds.pending, c)
			s.begin()
		}
		ds.mu.Unlock()
		if due {
			defer s.end()
			restart()
		}
	})
	ds.pending[c] = t
}

// forget takes a restart back.
func (ds *delays) forget(c *cell) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if t := ds.pending[c]; t != nil {
		t.Stop()
		delete(ds.pending, c)
	}
}

func (ds *delays) stop() {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	ds.stopped = true
	for c, t := range ds.pending {
		t.Stop()
		delete(ds.pending, c)
	}
}
