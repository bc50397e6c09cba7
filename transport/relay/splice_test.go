package relay

import (
	"io"
	"testing"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// stats is what the pool of pipes looks like.
func (p *pipePool) stats() (lent, idle int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lent, len(p.idle)
}

// emptyPool closes the idle pipes, so that a test sees what it makes.
func emptyPool(t *testing.T, limit int) {
	t.Helper()
	pipes.mu.Lock()
	defer pipes.mu.Unlock()
	for _, q := range pipes.idle {
		q.close()
	}
	pipes.idle = nil
	old := pipes.limit
	pipes.limit = limit
	t.Cleanup(func() {
		pipes.mu.Lock()
		defer pipes.mu.Unlock()
		pipes.limit = old
	})
}

// transfer sends n bytes through r and waits until all are there.
func transfer(t *testing.T, r *relayed, n int64) {
	t.Helper()
	go func() { _, _ = r.client.Write(make([]byte, n)) }()
	if got, err := io.CopyN(io.Discard, r.server, n); err != nil {
		t.Fatalf("moved %d bytes, then %v", got, err)
	}
}

func TestSpliceHoldsNoPipeWhileIdle(t *testing.T) {
	emptyPool(t, maxPipes)
	r := startPlain(t, socket.New(socket.Config{}))
	transfer(t, r, 4<<20)
	eventually(t, "the one pipe that was used is idle", func() bool {
		lent, idle := pipes.stats()
		return lent == 0 && idle == 1
	})
}

func TestShortExchangesDoNotSplice(t *testing.T) {
	emptyPool(t, maxPipes)
	r := startPlain(t, socket.New(socket.Config{}))
	transfer(t, r, spliceAfter/2)
	if lent, idle := pipes.stats(); lent+idle != 0 {
		t.Errorf("%d pipes are lent and %d idle", lent, idle)
	}
}

func TestWithoutPipesItReadsAndWrites(t *testing.T) {
	emptyPool(t, 0)
	refused := PipesRefused()
	r := startPlain(t, socket.New(socket.Config{}))
	transfer(t, r, 4<<20)
	if PipesRefused() == refused {
		t.Error("no refusal was counted")
	}
	_ = r.client.Close()
	_ = r.server.Close()
	if res := r.result(t); res.Err != nil {
		t.Error(res.Err)
	}
}

func TestAPipeWithBytesLeftIsNotUsedAgain(t *testing.T) {
	pool := pipePool{limit: 1}
	q := pool.take()
	if q == nil {
		t.Fatal("no pipe")
	}
	if pool.take() != nil {
		t.Error("the limit was passed")
	}
	q.held = 1
	pool.put(q)
	if lent, idle := pool.stats(); lent != 0 || idle != 0 {
		t.Errorf("%d lent, %d idle", lent, idle)
	}
}
