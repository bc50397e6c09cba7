package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// fill writes until nothing is taken any more.
func fill(c socket.Conn) {
	_ = c.SetDeadline(time.Time{})
	go func() { _, _ = c.Write(make([]byte, 16<<20)) }()
}

// A client that resets while nobody reads anything any more ends its flow, and is told apart from one that ended.
func TestResetWhileBothDirectionsAreFull(t *testing.T) {
	memory := networks[1].make
	t.Run("plain", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := startPlain(t, memory())
			fill(r.client)
			fill(r.server)
			<-time.After(time.Second)
			_ = r.client.Abort()
			began := time.Now()
			wantCut(t, <-r.done, SideDownstream, began)
			_ = r.server.Close()
		})
	})
	t.Run("tunnel", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := startTunnel(t, memory(), false, hbone.Settings{}, hbone.Settings{}).open(t)
			fill(f.client)
			fill(f.server)
			<-time.After(time.Second)
			_ = f.client.Abort()
			began := time.Now()
			wantCut(t, <-f.done, SideDownstream, began)
			_ = f.server.Close()
		})
	})
}

func wantCut(t *testing.T, r Result, by Side, began time.Time) {
	t.Helper()
	if r.Err != nil || r.CutBy != by {
		t.Errorf("ended with %+v, want it cut by %d", r, by)
	}
	if took := time.Since(began); took > 2*goneFor {
		t.Errorf("it took %v", took)
	}
}

// What was on its way from a client that has reset is delivered for as long as the server takes it.
func TestResetDeliversWhatIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := startPlain(t, networks[1].make())
		_ = r.server.SetDeadline(time.Time{})
		_ = r.client.SetDeadline(time.Time{})
		const size = 100_000
		go func() {
			_, _ = r.client.Write(make([]byte, size))
			_, _ = r.client.Read(make([]byte, 1)) // it is still there
			_ = r.client.Abort()
		}()
		say(t, r.server, "x")
		got := 0
		for buf := make([]byte, 1000); got < size; {
			n, err := r.server.Read(buf)
			if err != nil {
				t.Fatalf("after %d bytes: %v", got, err)
			}
			got += n
			<-time.After(time.Second)
		}
		hearEnd(t, r.server)
		_ = r.server.Close()
		if res := <-r.done; res.Err != nil || res.CutBy != SideDownstream {
			t.Errorf("ended with %+v", res)
		}
	})
}

// A stream that is reset by its far end reads as if it had ended; that it did not is told.
func TestCutStreamIsTold(t *testing.T) {
	for name, end := range map[string]struct {
		end func(f *flow)
		cut Side
	}{
		"ended": {func(f *flow) { _ = f.server.Close() }, SideNone},
		"reset": {func(f *flow) { _ = f.in.Close() }, SideUpstream},
	} {
		t.Run(name, func(t *testing.T) {
			f := startTunnel(t, networks[0].make(), false, hbone.Settings{}, hbone.Settings{}).open(t)
			say(t, f.client, "x")
			hear(t, f.server, "x")
			end.end(f)
			hearEnd(t, f.client)
			_, _ = f.client.Close(), f.server.Close()
			near, _ := f.results(t)
			if near.CutBy != end.cut {
				t.Errorf("ended with %+v, want it cut by %d", near, end.cut)
			}
		})
	}
}
