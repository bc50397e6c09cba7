package proxy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/handover"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// How long the two sides of a hand-over wait for each other: for a message that is only to be written, for the new
// process to serve (the first state may take its time), and for one leg after the other.
const (
	promptly      = 5 * time.Second
	untilServing  = 5 * time.Minute
	betweenLegs   = 30 * time.Second
	maxListeners  = 8192
	wholeHandOver = 10 * time.Minute
)

// succession is a process between its predecessor and its successor.
type succession struct {
	proxy     *Proxy
	log       *logs.Logger
	own       handover.Namespace
	listeners *handover.Listeners

	mu     sync.Mutex // guards what is below
	door   *handover.Door
	with   *handover.Conn // the predecessor or the successor, while one talks to us
	closed bool
	bequest

	working sync.WaitGroup
	life    context.Context
	end     context.CancelFunc

	moved, refused, kept, adopted, notAdopted, ended, cut atomic.Uint64
}

// bequest is what was handed over, for the report at the end.
type bequest struct {
	began  time.Time
	report *pod.HandedOver
}

// newSuccession asks the predecessor for its listening sockets, if there is one. A predecessor that does not make sense
// is left alone: the ports are then bound as without it.
func (p *Proxy) newSuccession() (*succession, error) {
	if p.config.HandoverSocket == "" {
		return nil, nil
	}
	own, err := handover.OwnNamespace()
	if err != nil {
		return nil, fmt.Errorf("HANDOVER_SOCKET: %w", err)
	}
	s := &succession{proxy: p, log: p.logs.Scope("ztunnel::handover"), own: own, listeners: handover.NewListeners()}
	s.life, s.end = context.WithCancel(context.Background())
	conn, err := handover.Dial(p.config.HandoverSocket)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return s, nil
	case err != nil:
		s.log.Warn("no hand-over: the predecessor can't be asked").Err(err).Send()
		return s, nil
	}
	n, err := s.receiveListeners(conn)
	if err != nil {
		s.log.Warn("no hand-over: the predecessor did not pass its listening sockets").Err(err).Send()
		s.listeners.CloseRest()
		_ = conn.Close()
		return s, nil
	}
	s.log.Info(fmt.Sprintf("the predecessor passed %d listening sockets", n)).Send()
	s.with = conn
	return s, nil
}

func (s *succession) receiveListeners(conn *handover.Conn) (int, error) {
	hello := &handover.Message{Hello: &handover.Hello{Version: handover.Version, Namespace: s.own}}
	if err := conn.Send(hello, promptly); err != nil {
		return 0, err
	}
	for n := 0; n <= maxListeners; n++ {
		m, fds, err := conn.Receive(promptly)
		switch {
		case err != nil:
			return n, err
		case m.Listened != nil && m.Listened.Count == n:
			return n, nil
		case m.Listener == nil:
			handover.CloseAll(fds)
			return n, errors.New("something else came than a listening socket")
		}
		l, err := socket.AdoptListener(fds[0])
		if err != nil {
			return n, err
		}
		s.listeners.Hand(m.Listener.Namespace, l)
	}
	return maxListeners, errors.New("too many listening sockets")
}

// begin tells the predecessor that we serve, takes its connections, and then waits for a successor. It is called once
// everything runs.
func (s *succession) begin() {
	s.working.Go(func() {
		s.mu.Lock()
		conn := s.with
		s.mu.Unlock()
		if conn != nil {
			if err := s.inherit(conn); err != nil && s.life.Err() == nil {
				s.log.Warn("the hand-over was cut short").Err(err).Send()
			}
			s.part(conn)
		}
		if n := s.listeners.CloseRest(); n > 0 {
			s.log.Info(fmt.Sprintf("closed %d listening sockets of the predecessor that this configuration has no use for", n)).Send()
		}
		s.awaitSuccessor()
	})
}

// meet remembers whom we talk to, so that close can end it; false when it is too late.
func (s *succession) meet(conn *handover.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.with = conn
	return true
}

func (s *succession) part(conn *handover.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.with = nil
}

// inherit takes the predecessor's plain connections once we serve.
func (s *succession) inherit(conn *handover.Conn) error {
	ready, cancel := context.WithTimeout(s.life, untilServing)
	err := s.proxy.AwaitReady(ready)
	cancel()
	if err != nil {
		return err
	}
	if err := conn.Send(&handover.Message{Serving: &handover.Serving{}}, promptly); err != nil {
		return err
	}
	for {
		m, fds, err := conn.Receive(betweenLegs)
		switch {
		case err != nil:
			return err
		case m.Done != nil:
			s.log.Info(fmt.Sprintf("took over %d connections; %d stay with the predecessor until they end", s.adopted.Load(), m.Done.Kept)).Send()
			return nil
		case m.Leg == nil:
			handover.CloseAll(fds)
			return errors.New("something else came than a connection")
		}
		answer := &handover.Answer{ID: m.Leg.ID}
		if err := s.adopt(m.Leg, fds); err != nil {
			s.notAdopted.Add(1)
			answer.Why = clip(err.Error())
		} else {
			s.adopted.Add(1)
		}
		if err := conn.Send(&handover.Message{Answer: answer}, promptly); err != nil {
			return err
		}
	}
}

// adopt gives a connection to the pod that is to carry it on.
func (s *succession) adopt(m *handover.Leg, fds []int) error {
	leg, err := handover.Take(m, fds)
	if err != nil {
		return err
	}
	target := s.proxy.podOf(m.Pod)
	if target == nil {
		leg.Undeliver()
		return errors.New("the pod is not here")
	}
	answer, err := kit.Ask(s.life, s.proxy.system, target, leg, askDeadline)
	if err != nil {
		return err
	}
	if _, ok := answer.(*messages.LegTaken); !ok {
		return errors.New("the pod has no room for it")
	}
	return nil
}

// awaitSuccessor serves one successor after the other until one has taken over.
func (s *succession) awaitSuccessor() {
	door, err := handover.Listen(s.proxy.config.HandoverSocket)
	if err != nil {
		s.log.Warn("no hand-over to a successor: its socket can't be made").Err(err).Send()
		return
	}
	s.mu.Lock()
	closed := s.closed
	s.door = door
	s.mu.Unlock()
	if closed {
		_ = door.Close()
		return
	}
	var backoff socket.Backoff
	for {
		conn, err := door.Accept()
		if err != nil {
			if backoff.Wait(s.life, err) != nil {
				return
			}
			s.log.Warn("a successor was turned away").Err(err).Send()
			continue
		}
		backoff.Reset()
		if !s.meet(conn) {
			_ = conn.Close()
			return
		}
		over, err := s.bequeath(conn)
		if err != nil && !errors.Is(err, net.ErrClosed) {
			s.log.Warn("the hand-over to a successor was cut short").Err(err).Send()
		}
		s.part(conn)
		if over {
			return
		}
	}
}

// bequeath passes everything that can be passed. It reports whether the successor serves; if it does not, nothing has
// changed.
func (s *succession) bequeath(conn *handover.Conn) (over bool, err error) {
	m, _, err := conn.Receive(promptly)
	switch {
	case err != nil:
		return false, err
	case m.Hello == nil || m.Hello.Version != handover.Version:
		return false, errors.New("the successor speaks another version")
	}
	shared := m.Hello.Namespace == s.own
	if err := s.sendListeners(conn, shared); err != nil {
		return false, err
	}
	m, fds, err := conn.Receive(untilServing)
	switch {
	case err != nil:
		return false, fmt.Errorf("the successor does not serve: %w", err)
	case m.Serving == nil:
		handover.CloseAll(fds)
		return false, errors.New("the successor does not serve")
	}
	s.log.Info("the successor serves: handing over").Send()
	s.mu.Lock()
	s.began = time.Now()
	s.mu.Unlock()
	if shared { // its HTTP endpoints have ours now
		s.working.Go(func() { <-s.proxy.drainPages(s.life) })
	}
	report, err := s.handConnections(conn)
	s.mu.Lock()
	door := s.door
	s.report = report
	s.mu.Unlock()
	_ = door.Close() // before the successor makes its own under the same name
	if err != nil {
		return true, err
	}
	s.moved.Add(uint64(report.Moved))
	s.refused.Add(uint64(report.Refused))
	s.kept.Add(uint64(report.KeptCount))
	s.log.Info("handed over: " + report.Describe(time.Now())).Send()
	if report.Why != nil {
		s.log.Warn("connections stay because the successor did not take them").Err(report.Why).Send()
	}
	return true, conn.Send(&handover.Message{Done: &handover.Done{Moved: report.Moved, Kept: report.KeptCount + report.Refused}}, promptly)
}

func (s *succession) sendListeners(conn *handover.Conn, shared bool) error {
	n := 0
	keep := func(ns handover.Namespace) bool { return shared || ns != s.own }
	err := s.listeners.Open(keep, func(ns handover.Namespace, l socket.Listener) error {
		fd, err := socket.Duplicate(l)
		if err != nil {
			return nil //nolint:nilerr // it was closed meanwhile
		}
		defer handover.CloseAll([]int{fd})
		n++
		return conn.Send(&handover.Message{Listener: &handover.Listener{Namespace: ns, Address: l.Addr()}}, promptly, fd)
	})
	if err != nil {
		return err
	}
	return conn.Send(&handover.Message{Listened: &handover.Listened{Count: n}}, promptly)
}

// handConnections makes the pod give its plain connections away.
func (s *succession) handConnections(conn *handover.Conn) (*pod.HandedOver, error) {
	var id uint64
	var mu sync.Mutex // the conversation is one message after the other
	take := func(o *messages.LegOffered) error {
		mu.Lock()
		defer mu.Unlock()
		id++
		return conn.Pass(id, s.proxy.podUID(), o)
	}
	return kit.AskFor[*pod.HandedOver](s.life, s.proxy.system, s.proxy.node.Pod(), &pod.HandOver{Take: take}, wholeHandOver)
}

// drained completes the report of a process that has handed over, in the log and the metrics; the pod's drain has the trace.
func (s *succession) drained(d messages.Drained) {
	s.mu.Lock()
	report, began := s.report, s.began
	s.mu.Unlock()
	if report == nil {
		return
	}
	s.ended.Add(uint64(d.Ended))
	s.cut.Add(uint64(d.Cut))
	s.log.Info(fmt.Sprintf("after the hand-over %v ago: %d kept connections ended in time, %d were cut",
		time.Since(began).Round(time.Millisecond), d.Ended, d.Cut)).Send()
}

// close ends whatever conversation there is, and waits for it.
func (s *succession) close() {
	s.mu.Lock()
	s.closed = true
	door, with := s.door, s.with
	s.mu.Unlock()
	s.end()
	if door != nil {
		_ = door.Close()
	}
	if with != nil {
		_ = with.Close()
	}
	s.working.Wait()
	s.listeners.CloseRest()
}

// counts are the outcomes of connections at hand-overs, to us and from us.
func (s *succession) counts(tell func(string, uint64)) {
	for _, c := range []struct {
		outcome string
		n       *atomic.Uint64
	}{
		{"moved", &s.moved},
		{"refused", &s.refused},
		{"kept", &s.kept},
		{"ended", &s.ended},
		{"cut", &s.cut},
		{"adopted", &s.adopted},
		{"not_adopted", &s.notAdopted},
	} {
		tell(c.outcome, c.n.Load())
	}
}

// podUID names the pod of dedicated mode, podOf finds the actor of a pod; nil where there is none.
func (p *Proxy) podUID() string {
	return p.config.ProxyWorkload.Namespace + "." + p.config.ProxyWorkload.Name
}

func (p *Proxy) podOf(uid string) *actor.PID {
	if uid != p.podUID() {
		return nil
	}
	return p.node.Pod()
}

func clip(text string) string {
	const most = 200
	if len(text) > most {
		return text[:most]
	}
	return text
}
