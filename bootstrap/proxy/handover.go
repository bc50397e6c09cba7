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

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/pods"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/handover"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// How long the two sides of a hand-over wait for each other: for a message that is only to be written, for the new
// process to serve (the first state and the CNI agent may take their time), and for one leg after the other.
const (
	promptly      = 5 * time.Second
	untilServing  = 5 * time.Minute
	betweenLegs   = 30 * time.Second
	wholeHandOver = 10 * time.Minute
	// podsWithin is how long the listening sockets of all pods may take: the CNI agent waits for our hello meanwhile.
	podsWithin = 4 * time.Second
)

// maxListeners bounds the listening sockets that a predecessor may pass: four entrances, and DNS on two addresses, for each
// pod.
const maxListeners = 8 * pods.MaxPods

// succession is a process between its predecessor and its successor.
type succession struct {
	proxy     *Proxy
	log       *logs.Logger
	home      handover.Namespace // the process's own
	listeners *handover.Listeners

	mu     sync.Mutex // guards what is below
	door   *handover.Door
	with   *handover.Conn // the predecessor or the successor, while one talks to us
	closed bool
	bequest

	asking  sync.Once // for the pods' sockets
	working sync.WaitGroup
	life    context.Context
	end     context.CancelFunc

	moved, refused, kept, adopted, notAdopted, ended, cut atomic.Uint64
}

// bequest is what is being handed over, and, in the end, the report.
type bequest struct {
	began  time.Time // when the successor served; zero before
	report *pod.HandedOver
	marks  messages.Recorder // of the hand-over's own trace, in shared mode
}

// newSuccession asks the predecessor for its own listening sockets, if there is one. A predecessor that does not make sense
// is left alone: the ports are then bound as without it.
func (p *Proxy) newSuccession() (*succession, error) {
	if p.config.HandoverSocket == "" {
		return nil, nil
	}
	home, err := handover.OwnNamespace()
	if err != nil {
		return nil, fmt.Errorf("HANDOVER_SOCKET: %w", err)
	}
	s := &succession{proxy: p, log: p.logs.Scope("ztunnel::handover"), home: home, listeners: handover.NewListeners()}
	s.life, s.end = context.WithCancel(context.Background())
	conn, err := handover.Dial(p.config.HandoverSocket)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return s, nil
	case err != nil:
		s.log.Warn("no hand-over: the predecessor can't be asked").Err(err).Send()
		return s, nil
	}
	hello := &handover.Hello{Version: handover.Version, Namespace: home, Shared: isShared(p.config)}
	n, err := s.receiveListeners(conn, &handover.Message{Hello: hello}, promptly)
	if err != nil {
		s.log.Warn("no hand-over: the predecessor did not pass its listening sockets").Err(err).Send()
		s.listeners.CloseRest()
		_ = conn.Close()
		return s, nil
	}
	s.log.Info(fmt.Sprintf("the predecessor passed %d listening sockets of its own", n)).Send()
	s.with = conn
	return s, nil
}

// own is a network whose listening sockets are the process's own. A nil succession changes nothing.
func (s *succession) own(network socket.Network) socket.Network {
	if s == nil {
		return network
	}
	return s.listeners.In(handover.Pod{}, s.home, network)
}

// of is a network whose listening sockets are a pod's. A nil succession changes nothing.
func (s *succession) of(uid string, info messages.WorkloadInfo, ns messages.NamespaceID, network socket.Network) socket.Network {
	if s == nil {
		return network
	}
	return s.listeners.In(handover.Pod{UID: uid, Info: info}, handover.Namespace(ns), network)
}

// begin tells the predecessor that we serve, takes its connections, and then waits for a successor. It is called once
// everything runs.
func (s *succession) begin() {
	s.working.Go(func() {
		if conn := s.predecessor(); conn != nil {
			if err := s.inherit(conn); err != nil && s.life.Err() == nil {
				s.log.Warn("the hand-over was cut short").Err(err).Send()
			}
			s.part(conn)
		}
		s.closeRest()
		s.awaitSuccessor()
	})
}

// predecessor is whom we have taken listening sockets from and not parted with; nil for none.
func (s *succession) predecessor() *handover.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.with
}

// closeRest closes what was passed in vain, and says so.
func (s *succession) closeRest() {
	n, uids := s.listeners.CloseRest()
	switch {
	case len(uids) > 0:
		s.log.Warn(fmt.Sprintf("closed %d listening sockets of the predecessor: its pods are not served here", n)).
			Str(messages.FieldUIDs, fmt.Sprint(uids)).Send()
	case n > 0:
		s.log.Info(fmt.Sprintf("closed %d listening sockets of the predecessor that this configuration has no use for", n)).Send()
	}
}

// part ends a conversation.
func (s *succession) part(conn *handover.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.with == conn {
		s.with = nil
	}
}

// awaitSuccessor serves one successor after the other until one has taken over. One that comes before the last one serves
// takes its place: that one may be stuck.
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
	var talk sync.WaitGroup
	defer talk.Wait()
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
			continue
		}
		talk.Wait() // the last one was told to end
		talk.Go(func() {
			if err := s.bequeath(conn); err != nil && !errors.Is(err, net.ErrClosed) {
				s.log.Warn("the hand-over to a successor was cut short").Err(err).Send()
			}
			s.part(conn)
		})
	}
}

// meet remembers whom we talk to, so that close can end it, and parts with who was there before; false when it is too late.
func (s *succession) meet(conn *handover.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.began.IsZero() {
		return false
	}
	if s.with != nil {
		_ = s.with.Close()
	}
	s.with = conn
	return true
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

// podUID names the pod of dedicated mode.
func (p *Proxy) podUID() string {
	return p.config.ProxyWorkload.Namespace + "." + p.config.ProxyWorkload.Name
}

func clip(text string) string {
	const most = 200
	if len(text) > most {
		return text[:most]
	}
	return text
}
