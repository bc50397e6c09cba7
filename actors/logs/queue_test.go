package logs

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// gate is an output that waits for permission before each write.
type gate struct {
	open chan struct{}
	mu   sync.Mutex
	got  bytes.Buffer
	err  error
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return 0, g.err
	}
	return g.got.Write(b)
}

func TestQueueBlocksWhenFullAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &gate{open: make(chan struct{})}
		q := newQueue(out)
		send := func() {
			if _, err := q.Write([]byte("x\n")); err != nil {
				t.Error(err)
			}
		}
		send()
		synctest.Wait() // the writer holds the first line
		for range maxQueued {
			send()
		}
		done := make(chan struct{})
		go func() { send(); close(done) }()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("a line was taken beyond the bound")
		default:
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flush of a stuck output: got %v", err)
		}
		close(out.open)
		<-done
		if err := q.flush(t.Context()); err != nil {
			t.Error(err)
		}
		if err := q.close(t.Context()); err != nil {
			t.Error(err)
		}
		if n := strings.Count(out.got.String(), "\n"); n != maxQueued+2 {
			t.Errorf("got %d lines, want %d", n, maxQueued+2)
		}
		send()
		if n := strings.Count(out.got.String(), "\n"); n != maxQueued+3 {
			t.Error("a line after close was not written")
		}
	})
}

func TestQueueCountsRefusedLines(t *testing.T) {
	out := &gate{open: make(chan struct{}), err: errors.New("broken pipe")}
	close(out.open)
	f, _ := ParseFilter("info")
	l := New(out, Plain, f)
	l.Scope("a").Info("x").Send()
	l.Scope("a").Info("y").Send()
	if err := l.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if n := l.Failed(); n != 2 {
		t.Errorf("got %d failed lines, want 2", n)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCloseGivesUpAtDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &gate{open: make(chan struct{})}
		q := newQueue(out)
		_, _ = q.Write([]byte("x\n"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(out.open)
		<-q.done
	})
}

func TestConcurrentLinesStayWhole(t *testing.T) {
	got := written(t, Plain, "info", func(l *Logs) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				g := l.Scope("access")
				for range 500 {
					g.Info("m").Str("k", strings.Repeat("v", 50)).Send()
				}
			})
		}
		wg.Go(func() {
			for _, level := range []string{"debug", "info", "debug", "info"} {
				if err := l.Change(false, level); err != nil {
					t.Error(err)
				}
			}
		})
		wg.Wait()
	})
	whole := 0
	for line := range strings.Lines(got) {
		if strings.HasSuffix(line, "\tinfo\taccess\tm\tk=\""+strings.Repeat("v", 50)+"\"\n") {
			whole++
		}
	}
	if whole != 4000 {
		t.Errorf("got %d whole lines, want 4000", whole)
	}
}
