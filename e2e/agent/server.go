package agent

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// server is one listening socket and what it has seen.
type server struct {
	mode    Mode
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change
	records []*Record
}

func (w *worker) listen(args listenArgs) (any, error) {
	listener, err := net.Listen("tcp", args.Address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", args.Address, err)
	}
	serve, known := modes[args.Mode]
	if !known {
		return nil, errors.Join(fmt.Errorf("unknown mode %q", args.Mode), listener.Close())
	}
	s := &server{mode: args.Mode, changed: make(chan struct{})}
	w.mu.Lock()
	w.servers[args.Address] = s
	w.mu.Unlock()
	go s.accept(listener, serve)
	return netip.ParseAddrPort(listener.Addr().String())
}

func (s *server) accept(listener net.Listener, serve func(*net.TCPConn, *ledger)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			// Out of descriptors, at worst: the process has other work and the test sees what is missing.
			timer := time.NewTimer(10 * time.Millisecond)
			<-timer.C
			continue
		}
		tcp := conn.(*net.TCPConn)
		record := &Record{Peer: canonical(conn.RemoteAddr()), Local: canonical(conn.LocalAddr())}
		s.change(func() { s.records = append(s.records, record) })
		go serve(tcp, &ledger{s, record})
	}
}

func canonical(a net.Addr) netip.AddrPort {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// change changes what the records say and wakes those who wait for it.
func (s *server) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// ledger is a connection's way to keep its record.
type ledger struct {
	s *server
	r *Record
}

func (l *ledger) received(n int)  { l.s.change(func() { l.r.Received += uint64(n) }) }
func (l *ledger) sent(n int)      { l.s.change(func() { l.r.Sent += uint64(n) }) }
func (l *ledger) ended(err error) { l.s.change(func() { l.r.End = ending(err) }) }

func (w *worker) records(args recordsArgs) (any, error) {
	w.mu.Lock()
	s := w.servers[args.Address]
	w.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("there is no server on %s", args.Address)
	}
	timer := time.NewTimer(stepLimit)
	defer timer.Stop()
	for {
		records, changed := s.snapshot(args.Ended)
		if len(records) >= args.Min {
			return records, nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return nil, fmt.Errorf("%s has %d connections after %v, want %d: %+v", args.Address, len(records), stepLimit, args.Min, records)
		}
	}
}

func (s *server) snapshot(ended bool) ([]Record, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	records := make([]Record, 0, len(s.records))
	for _, r := range s.records {
		if !ended || r.End != EndOpen {
			records = append(records, *r)
		}
	}
	return records, s.changed
}
