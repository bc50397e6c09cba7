package proxy

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/pods"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/handover"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// bequeath passes everything that can be passed. If it returns before the successor serves, nothing has changed.
func (s *succession) bequeath(conn *handover.Conn) error {
	m, _, err := conn.Receive(promptly)
	switch {
	case err != nil:
		return err
	case m.Hello == nil || m.Hello.Version != handover.Version:
		return errors.New("the successor speaks another version")
	case m.Hello.Shared != isShared(s.proxy.config):
		return errors.New("the successor has another PROXY_MODE")
	}
	near := m.Hello.Namespace == s.home
	err = s.sendListeners(conn, func(l *handover.Listener) bool { return l.Pod.UID == "" && near && l.Namespace == s.home })
	if err != nil {
		return err
	}
	served, err := s.awaitServing(conn)
	if err != nil {
		return fmt.Errorf("the successor does not serve: %w", err)
	}
	givers, left, err := s.givers(served, near)
	if err != nil {
		return err
	}
	s.log.Info("the successor serves: handing over").Send()
	if !s.beginBequest() {
		return nil
	}
	if near { // its HTTP endpoints have ours now
		s.working.Go(func() { <-s.proxy.drainPages(s.life) })
	}
	if hangUp := s.proxy.node.CNI(); hangUp != nil && left == 0 { // the agent must not take us for who serves its pods
		s.proxy.system.Send(hangUp, &messages.Drain{})
	}
	report := s.handConnections(conn, givers)
	s.mu.Lock()
	door := s.door
	s.report = report
	s.mu.Unlock()
	_ = door.Close() // before the successor makes its own under the same name
	s.moved.Add(uint64(report.Moved))
	s.refused.Add(uint64(report.Refused))
	s.kept.Add(uint64(report.KeptCount))
	s.log.Info("handed over: " + report.Describe(time.Now())).Send()
	if report.Why != nil {
		s.log.Warn("connections stay because the successor did not take them").Err(report.Why).Send()
	}
	return conn.Send(&handover.Message{Done: &handover.Done{Moved: report.Moved, Kept: report.KeptCount + report.Refused}}, promptly)
}

// beginBequest notes that there is no way back; false when we end already.
func (s *succession) beginBequest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.began = time.Now()
	if isShared(s.proxy.config) {
		s.proxy.telemetry.StartRecorder(&s.marks)
		s.marks.BeginAt(messages.SpanDrain, messages.NoSpan, 0)
	}
	return true
}

// sendListeners passes the open listening sockets that keep takes.
func (s *succession) sendListeners(conn *handover.Conn, keep func(*handover.Listener) bool) error {
	n := 0
	err := s.listeners.Each(keep, func(o handover.Open) error {
		fd, err := socket.Duplicate(o.End())
		if err != nil {
			return nil //nolint:nilerr // it was closed meanwhile
		}
		defer handover.CloseAll([]int{fd})
		n++
		return conn.Send(&handover.Message{Listener: o.Tell()}, promptly, fd)
	})
	if err != nil {
		return err
	}
	return conn.Send(&handover.Message{Listened: &handover.Listened{Count: n}}, promptly)
}

// awaitServing passes the pods' sockets when the successor asks for them, and waits until it serves. It returns the pods
// that it serves then.
func (s *succession) awaitServing(conn *handover.Conn) (map[string]handover.Namespace, error) {
	served := map[string]handover.Namespace{}
	asked := false
	within := untilServing
	for deadline := time.Now().Add(untilServing); ; within = time.Until(deadline) {
		m, fds, err := conn.Receive(within)
		switch {
		case err != nil:
			return nil, err
		case m.ListPods != nil && isShared(s.proxy.config) && !asked:
			asked = true
			if err := s.sendListeners(conn, func(l *handover.Listener) bool { return l.Pod.UID != "" }); err != nil {
				return nil, err
			}
		case m.Serves != nil && asked && len(served) < pods.MaxPods:
			served[m.Serves.UID] = m.Serves.Namespace
		case m.Serving != nil && m.Serving.Count == len(served):
			return served, nil
		default:
			handover.CloseAll(fds)
			return nil, errors.New("it says something else")
		}
	}
}

// giver is a pod whose connections the successor gets.
type giver struct {
	uid   string
	proxy *actor.PID
}

// givers are the pods that the successor serves, and left is how many are served on here. Near says that the successor is in
// our own network namespace, and has the self listener as well.
func (s *succession) givers(served map[string]handover.Namespace, near bool) (all []giver, left int, err error) {
	p := s.proxy
	if !isShared(p.config) {
		return []giver{{p.podUID(), p.node.Pod()}}, 0, nil
	}
	ours, err := p.servedPods(s.life)
	if err != nil {
		return nil, 0, err
	}
	var kept []string
	for _, one := range ours {
		if ns, ok := served[one.UID]; ok && ns == handover.Namespace(one.Namespace) {
			all = append(all, giver{one.UID, actor.NewPID(p.system.Actors().Address(), one.Proxy)})
		} else {
			kept = append(kept, one.UID)
		}
	}
	if len(kept) > 0 {
		s.log.Warn("the successor does not serve all pods; those that it does not are served on").Str(messages.FieldUIDs, fmt.Sprint(kept)).Send()
	}
	if self := p.node.Self(); near && self != nil {
		all = append(all, giver{"", self})
	}
	return all, len(kept), nil
}

// handConnections makes the pods give their plain connections away: first all close their doors, then one after the other
// gives.
func (s *succession) handConnections(conn *handover.Conn, givers []giver) *pod.HandedOver {
	p := s.proxy
	for _, g := range givers {
		p.system.Send(g.proxy, &pod.CloseDoors{})
	}
	var id uint64
	var mu sync.Mutex // the conversation is one message after the other
	var broken error  // what ended the conversation: nobody waits for an answer again
	total := &pod.HandedOver{}
	for _, g := range givers {
		take := func(o *messages.LegOffered) error {
			mu.Lock()
			defer mu.Unlock()
			if broken != nil {
				return broken
			}
			id++
			err := conn.Pass(id, g.uid, o)
			if err != nil && !errors.Is(err, handover.ErrRefused) {
				broken = err
			}
			return err
		}
		report, err := kit.AskFor[*pod.HandedOver](s.life, p.system, g.proxy, &pod.HandOver{Take: take}, wholeHandOver)
		if err != nil {
			s.log.Warn("a pod did not hand its connections over").Str(messages.FieldUID, g.uid).Err(err).Send()
			continue
		}
		total.Add(report)
	}
	return total
}

// drained completes the report of a process that has handed over, in the log, the metrics and a trace; in dedicated mode the
// trace is that of the pod's drain.
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
	if isShared(s.proxy.config) {
		s.proxy.telemetry.RootTrace(&s.marks, nil, append(report.Attributes(began),
			messages.IntAttr(messages.AttrDrainEnded, int64(d.Ended)), messages.IntAttr(messages.AttrDrainCut, int64(d.Cut)))...)
	}
}
