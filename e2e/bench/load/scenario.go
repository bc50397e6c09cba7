package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/troupe-mesh/troupe/e2e/bench/entry"
)

// Way is how a client gets to the application.
type Way struct {
	Proxy string         // SOCKS5; empty for none
	App   netip.AddrPort // the application
}

// Run is one measured run of one scenario.
type Run struct {
	Way      Way
	Scenario string
	Bytes    int64 // of a throughput scenario, in all
	Ops      int   // of the others, in all
}

// Outcome is what a run took.
type Outcome struct {
	Units   float64 // GiB or operations
	Seconds float64
	P50     time.Duration // of one operation, where there are any
	P99     time.Duration
}

// scenarios by name.
var scenarios = map[string]func(Run) (Outcome, error){
	"tput1":   func(r Run) (Outcome, error) { return throughput(r, 1) },
	"tput8":   func(r Run) (Outcome, error) { return throughput(r, 8) },
	"echo":    echoes,
	"rr1x1":   func(r Run) (Outcome, error) { return pings(r, 1, 1) },
	"rr64x1k": func(r Run) (Outcome, error) { return pings(r, 64, 1024) },
	"cps16":   connections,
}

// Do does the run.
func Do(r Run) (Outcome, error) {
	do, known := scenarios[r.Scenario]
	if !known {
		return Outcome{}, fmt.Errorf("unknown scenario %q", r.Scenario)
	}
	return do(r)
}

// Dial connects and says what the application shall do.
func (w Way) Dial(kind byte, size int) (*net.TCPConn, error) {
	var conn *net.TCPConn
	var err error
	if w.Proxy == "" {
		conn, err = net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(w.App))
	} else {
		conn, err = entry.Dial(w.Proxy, w.App)
	}
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte{kind, byte(size >> 8), byte(size)}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// throughput sends bytes over streams connections at once and wants the application to have all of them.
func throughput(r Run, streams int) (Outcome, error) {
	each := r.Bytes / int64(streams)
	buffer := make([]byte, bufferSize)
	return timed(float64(each)*float64(streams)/(1<<30), streams, func() error {
		conn, err := r.Way.Dial(sink, 0)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		for left := each; left > 0; left -= min(left, bufferSize) {
			if _, err := conn.Write(buffer[:min(left, bufferSize)]); err != nil {
				return err
			}
		}
		if err := conn.CloseWrite(); err != nil {
			return err
		}
		_, err = io.ReadFull(conn, make([]byte, 1))
		return err
	})
}

// echoes sends bytes over one connection and reads them back meanwhile. Both directions count.
func echoes(r Run) (Outcome, error) {
	buffer := make([]byte, bufferSize)
	return timed(2*float64(r.Bytes)/(1<<30), 1, func() error {
		conn, err := r.Way.Dial(echo, 0)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		sent := make(chan error, 1)
		go func() {
			for left := r.Bytes; left > 0; left -= min(left, bufferSize) {
				if _, err := conn.Write(buffer[:min(left, bufferSize)]); err != nil {
					sent <- err
					return
				}
			}
			sent <- conn.CloseWrite()
		}()
		got, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{conn}, make([]byte, bufferSize))
		if err == nil && got != r.Bytes {
			err = fmt.Errorf("got %d of %d bytes back", got, r.Bytes)
		}
		return errors.Join(err, <-sent)
	})
}

// pings exchanges messages of size bytes over conns connections, operations in all.
func pings(r Run, conns, size int) (Outcome, error) {
	var left atomic.Int64
	left.Store(int64(r.Ops))
	var mu sync.Mutex
	var all []time.Duration
	outcome, err := timed(float64(r.Ops), conns, func() error {
		conn, err := r.Way.Dial(ping, size)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close() }()
		message := make([]byte, size)
		var took []time.Duration
		for left.Add(-1) >= 0 {
			start := time.Now()
			if _, err := conn.Write(message); err != nil {
				return err
			}
			if _, err := io.ReadFull(conn, message); err != nil {
				return err
			}
			took = append(took, time.Since(start))
		}
		mu.Lock()
		defer mu.Unlock()
		all = append(all, took...)
		return nil
	})
	return outcome.with(all), err
}

// connections opens connections, sixteen at a time: two bytes out, one back, close.
func connections(r Run) (Outcome, error) {
	var left atomic.Int64
	left.Store(int64(r.Ops))
	return timed(float64(r.Ops), 16, func() error {
		for left.Add(-1) >= 0 {
			conn, err := r.Way.Dial(ping, 1)
			if err != nil {
				return err
			}
			one := make([]byte, 1)
			_, err = conn.Write(one)
			if err == nil {
				_, err = io.ReadFull(conn, one)
			}
			if err = errors.Join(err, conn.Close()); err != nil {
				return err
			}
		}
		return nil
	})
}

// timed runs f side by side, and takes the time until the last one is done.
func timed(units float64, parallel int, f func() error) (Outcome, error) {
	start := time.Now()
	failures := make(chan error, parallel)
	for range parallel {
		go func() { failures <- f() }()
	}
	var err error
	for range parallel {
		err = errors.Join(err, <-failures)
	}
	return Outcome{Units: units, Seconds: time.Since(start).Seconds()}, err
}

func (o Outcome) with(took []time.Duration) Outcome {
	if len(took) > 0 {
		slices.Sort(took)
		o.P50, o.P99 = took[len(took)/2], took[len(took)*99/100]
	}
	return o
}
