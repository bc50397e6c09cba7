package proxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/handover"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// receiveListeners asks the predecessor for listening sockets, and takes them, within a time in all.
func (s *succession) receiveListeners(conn *handover.Conn, ask *handover.Message, within time.Duration) (int, error) {
	deadline := time.Now().Add(within)
	if err := conn.Send(ask, within); err != nil {
		return 0, err
	}
	for n := 0; n <= maxListeners; n++ {
		m, fds, err := conn.Receive(time.Until(deadline))
		switch {
		case err != nil:
			return n, err
		case m.Listened != nil && m.Listened.Count == n:
			return n, nil
		case m.Listener == nil || (m.Listener.Pod.UID == "") != (ask.ListPods == nil):
			handover.CloseAll(fds)
			return n, errors.New("something else came than a listening socket")
		}
		if err := s.hand(m.Listener, fds[0]); err != nil {
			return n, err
		}
	}
	return maxListeners, errors.New("too many listening sockets")
}

// hand keeps a listening socket until it is asked for. It owns fd.
func (s *succession) hand(m *handover.Listener, fd int) (err error) {
	var end handover.End
	if m.Packets {
		end, err = socket.AdoptPacketListener(fd)
	} else {
		end, err = socket.AdoptListener(fd)
	}
	if err != nil {
		return err
	}
	if m.Pod.UID != "" {
		if id, err := namespaceOf(end); err != nil || handover.Namespace(id) != m.Namespace {
			_ = end.Close()
			return errors.Join(fmt.Errorf("a listening socket of pod %q is in another network namespace than the predecessor says", m.Pod.UID), err)
		}
	}
	s.listeners.Hand(m.Pod, m.Namespace, end)
	return nil
}

// namespaceOf says in which network namespace a socket is.
func namespaceOf(end any) (messages.NamespaceID, error) {
	ns, err := socket.NamespaceOf(end)
	if err != nil {
		return messages.NamespaceID{}, err
	}
	defer func() { _ = ns.Close() }()
	return ns.ID(), nil
}

// askForPods takes the predecessor's listening sockets of pods. It is called once the CNI agent tells us, and no longer the
// predecessor, of new pods, and before it tells us of any.
func (s *succession) askForPods() {
	if s == nil {
		return
	}
	s.asking.Do(func() {
		conn := s.predecessor()
		if conn == nil {
			return
		}
		n, err := s.receiveListeners(conn, &handover.Message{ListPods: &handover.ListPods{}}, podsWithin)
		if err != nil {
			s.log.Warn("no hand-over: the predecessor did not pass the listening sockets of its pods").Err(err).Send()
			_ = conn.Close() // it goes on as if we had not come; the ports are shared
			return
		}
		s.log.Info(fmt.Sprintf("the predecessor passed %d listening sockets of its pods", n)).Send()
	})
}

// inheritedPod is a pod that the predecessor serves and that the CNI agent asks to keep.
func (s *succession) inheritedPod(uid string) (messages.WorkloadInfo, messages.PodNamespace, bool) {
	if s == nil {
		return messages.WorkloadInfo{}, nil, false
	}
	info, ns, ok := s.listeners.Pod(uid)
	if !ok {
		return info, nil, false
	}
	return info, ns, true
}

// heirs are who carries connections on, by the uids of their pods.
type heirs map[string]heir

// heir is the actor of a pod, and, in shared mode, the namespace that its connections must be in.
type heir struct {
	proxy     *actor.PID
	namespace messages.NamespaceID
}

// heirs are all pods that are served.
func (s *succession) heirs() (heirs, error) {
	p := s.proxy
	if !isShared(p.config) {
		return heirs{p.podUID(): {proxy: p.node.Pod()}}, nil
	}
	all, err := p.servedPods(s.life)
	if err != nil {
		return nil, err
	}
	h := heirs{}
	for _, one := range all {
		h[one.UID] = heir{actor.NewPID(p.system.Actors().Address(), one.Proxy), one.Namespace}
	}
	return h, nil
}

// servedPods are the pods of shared mode that are up.
func (p *Proxy) servedPods(ctx context.Context) ([]messages.PodStatus, error) {
	listed, err := kit.AskFor[*messages.PodsListed](ctx, p.system, p.node.Pods(), &messages.ListPods{}, askDeadline)
	if err != nil {
		return nil, err
	}
	var up []messages.PodStatus
	for _, one := range listed.Pods {
		if one.State == messages.PodUp {
			up = append(up, one)
		}
	}
	return up, nil
}

// inherit takes the predecessor's plain connections once we serve.
func (s *succession) inherit(conn *handover.Conn) error {
	ready, cancel := context.WithTimeout(s.life, untilServing)
	err := s.proxy.AwaitReady(ready)
	cancel()
	if err != nil {
		return err
	}
	heirs, err := s.heirs()
	if err != nil {
		return err
	}
	if err := s.tellServing(conn, heirs); err != nil {
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
		if err := s.inheritLeg(conn, heirs, m.Leg, fds); err != nil {
			return err
		}
	}
}

// inheritLeg takes a connection, or says why not. The answer decides whose it is: it comes first.
func (s *succession) inheritLeg(conn *handover.Conn, heirs heirs, m *handover.Leg, fds []int) error {
	leg, to, err := s.accept(heirs, m, fds)
	answer := &handover.Answer{ID: m.ID}
	if err != nil {
		answer.Why = clip(err.Error())
	}
	if sent := conn.Send(&handover.Message{Answer: answer}, promptly); sent != nil {
		if leg != nil {
			leg.Undeliver()
		}
		return sent
	}
	if err == nil {
		err = s.adopt(leg, to)
	}
	if err != nil {
		s.notAdopted.Add(1)
		s.log.Warn("a connection of the predecessor is not carried on").Str(messages.FieldUID, m.Pod).Err(err).Send()
		return nil
	}
	s.adopted.Add(1)
	return nil
}

// tellServing says whom we serve.
func (s *succession) tellServing(conn *handover.Conn, heirs heirs) error {
	n := 0
	if isShared(s.proxy.config) {
		for uid, h := range heirs {
			m := &handover.Message{Serves: &handover.Serves{UID: uid, Namespace: handover.Namespace(h.namespace)}}
			if err := conn.Send(m, promptly); err != nil {
				return err
			}
			n++
		}
	}
	return conn.Send(&handover.Message{Serving: &handover.Serving{Count: n}}, promptly)
}

// accept looks whether a connection can be carried on here, and by whom. It owns fds.
func (s *succession) accept(heirs heirs, m *handover.Leg, fds []int) (*messages.AdoptLeg, *actor.PID, error) {
	leg, err := handover.Take(m, fds)
	if err != nil {
		return nil, nil, err
	}
	h, ok := heirs[m.Pod]
	if !ok {
		leg.Undeliver()
		return nil, nil, errors.New("the pod is not here")
	}
	if h.namespace != (messages.NamespaceID{}) {
		for _, end := range []any{leg.Downstream, leg.Upstream} {
			if id, err := namespaceOf(end); err != nil || id != h.namespace {
				leg.Undeliver()
				return nil, nil, errors.Join(errors.New("it is not in the pod's network namespace"), err)
			}
		}
	}
	return leg, h.proxy, nil
}

// adopt gives a connection to the pod that carries it on.
func (s *succession) adopt(leg *messages.AdoptLeg, to *actor.PID) error {
	answer, err := kit.Ask(s.life, s.proxy.system, to, leg, askDeadline)
	if err != nil {
		return err
	}
	if _, ok := answer.(*messages.LegTaken); !ok {
		return errors.New("the pod has no room for it")
	}
	return nil
}
