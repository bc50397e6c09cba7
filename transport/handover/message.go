package handover

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"github.com/troupe-mesh/troupe/messages"
)

// Version is what both sides must speak.
const Version = 2

// maxPacket bounds one message, in bytes, and maxDescriptors what comes with it. maxName bounds the names of a pod, which
// are shorter in Kubernetes.
const (
	maxPacket      = 64 << 10
	maxDescriptors = 4
	maxName        = 512
)

// Message is one packet: exactly one of its fields is set.
type Message struct {
	Hello    *Hello    `json:",omitempty"`
	ListPods *ListPods `json:",omitempty"`
	Listener *Listener `json:",omitempty"`
	Listened *Listened `json:",omitempty"`
	Serves   *Serves   `json:",omitempty"`
	Serving  *Serving  `json:",omitempty"`
	Leg      *Leg      `json:",omitempty"`
	Answer   *Answer   `json:",omitempty"`
	Done     *Done     `json:",omitempty"`
}

// Hello begins a conversation.
type Hello struct {
	Version int
	// Namespace is the network namespace of the new process.
	Namespace Namespace
	// Shared says that it serves the pods of a node; both or none of the two must.
	Shared bool
}

// ListPods asks for the sockets of all pods.
type ListPods struct{}

// Namespace identifies a network namespace of this machine (device and inode).
type Namespace struct{ Device, Inode uint64 }

// Pod is whose sockets they are: a pod of the node, or, where UID is empty, the process.
type Pod struct {
	UID  string
	Info messages.WorkloadInfo
}

// Listener tells of a listening socket.
type Listener struct {
	Pod Pod
	// Namespace is where the socket lives: the process's own or the pod's.
	Namespace Namespace
	Address   netip.AddrPort
	// Packets says that it takes datagrams.
	Packets bool
}

// Listened ends the listeners.
type Listened struct{ Count int }

// Serves tells of a pod that the new process serves; once for each before Serving.
type Serves struct {
	UID       string
	Namespace Namespace
}

// Serving says that the new process accepts connections: of the pods that it named, Count, or of the one workload of
// dedicated mode.
type Serving struct{ Count int }

// Leg tells of a plain connection.
type Leg struct {
	ID  uint64
	Pod string
	Leg messages.Leg
	// ToUpstream and ToDownstream are how many bytes each direction holds, at most messages.MaxHeld.
	ToUpstream, ToDownstream int
}

// Answer says what became of a leg; Why is empty for one that is carried on.
type Answer struct {
	ID  uint64
	Why string
}

// Done ends a conversation.
type Done struct {
	// Moved are the legs that changed hands, Kept the connections that stay with the old process until they end.
	Moved, Kept int
}

var (
	errNotOne   = errors.New("a packet must have exactly one message")
	errTooLarge = fmt.Errorf("a packet may have at most %d bytes", maxPacket)
	errRange    = errors.New("a value that nobody knows")
)

// encode writes a message, without what the other side has no use for.
func encode(m *Message) ([]byte, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if len(b) > maxPacket {
		return nil, errTooLarge
	}
	return b, nil
}

// decode reads a packet and refuses everything but exactly one sound message.
func decode(b []byte) (*Message, error) {
	if len(b) > maxPacket {
		return nil, errTooLarge
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var m Message
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotOne
	}
	count := 0
	for _, set := range []bool{
		m.Hello != nil, m.ListPods != nil, m.Listener != nil, m.Listened != nil, m.Serves != nil, m.Serving != nil,
		m.Leg != nil, m.Answer != nil, m.Done != nil,
	} {
		if set {
			count++
		}
	}
	if count != 1 {
		return nil, errNotOne
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return &m, nil
}

// check refuses what nothing of ours would say.
func (m *Message) check() error {
	switch {
	case m.Leg != nil:
		if err := m.Leg.check(); err != nil {
			return fmt.Errorf("leg: %w", err)
		}
	case m.Listener != nil:
		p := &m.Listener.Pod
		for _, name := range []string{p.UID, p.Info.Name, p.Info.Namespace, p.Info.ServiceAccount} {
			if len(name) > maxName {
				return fmt.Errorf("listener: a name of %d bytes: %w", len(name), errRange)
			}
		}
	case m.Serves != nil && len(m.Serves.UID) > maxName:
		return fmt.Errorf("pod: a uid of %d bytes: %w", len(m.Serves.UID), errRange)
	}
	return nil
}

// descriptors is how many come with a message.
func (m *Message) descriptors() int {
	switch {
	case m.Listener != nil:
		return 1
	case m.Leg != nil:
		n := 2
		for _, held := range []int{m.Leg.ToUpstream, m.Leg.ToDownstream} {
			if held > 0 {
				n++
			}
		}
		return n
	}
	return 0
}

// check refuses values that nothing of ours could name or count.
func (l *Leg) check() error {
	r := &l.Leg.Record
	at := &l.Leg.At
	switch {
	case len(l.Pod) > maxName:
		return fmt.Errorf("a uid of %d bytes: %w", len(l.Pod), errRange)
	case l.ToUpstream < 0 || l.ToUpstream > messages.MaxHeld || l.ToDownstream < 0 || l.ToDownstream > messages.MaxHeld:
		return fmt.Errorf("%d and %d bytes are held: %w", l.ToUpstream, l.ToDownstream, errRange)
	case at.ToUpstream.Bytes != nil || at.ToDownstream.Bytes != nil:
		return errors.New("held bytes do not come in the message")
	case at.ToUpstream.Ended && l.ToUpstream > 0 || at.ToDownstream.Ended && l.ToDownstream > 0:
		return errors.New("a direction that has ended holds nothing")
	case r.Direction > messages.Inbound || r.Mode > messages.ModeLocal || r.Type > messages.Passthrough:
		return fmt.Errorf("direction, mode or type: %w", errRange)
	case l.Leg.Entrance > messages.EntranceSOCKS5 || l.Leg.Registered.Direction > messages.Inbound:
		return fmt.Errorf("entrance: %w", errRange)
	case r.Failure != nil || r.Verdict != nil:
		return errors.New("a connection that failed does not change hands")
	case r.Direction != l.Leg.Registered.Direction || r.Direction != l.Leg.Entrance.Direction():
		return errors.New("its directions differ")
	}
	for _, w := range []*messages.Workload{r.Source, r.Destination, l.Leg.Registered.Local} {
		if w != nil && (w.Protocol > messages.ProtocolHBONE || w.NetworkMode > messages.NetworkHost ||
			w.Status > messages.Unhealthy || w.ApplicationTunnel != nil) {
			return fmt.Errorf("workload: %w", errRange)
		}
	}
	if l.Leg.Registered.Direction == messages.Inbound && l.Leg.Registered.Local != nil && l.Leg.Registered.Connection == nil {
		return errors.New("policy has nothing to be asked about")
	}
	return nil
}

// trimmed is a leg without what the other side has no use for, and what would not fit.
func trimmed(l messages.Leg) messages.Leg {
	l.At.ToUpstream.Bytes, l.At.ToDownstream.Bytes = nil, nil
	l.Record.Verdict, l.Record.Failure = nil, nil
	l.Record.Source, l.Record.Destination = outline(l.Record.Source), outline(l.Record.Destination)
	l.Registered.Local = outline(l.Registered.Local)
	if s := l.Record.Service; s != nil {
		l.Record.Service = &messages.Service{Name: s.Name, Namespace: s.Namespace, Hostname: s.Hostname}
	}
	return l
}

// outline is what labels, log lines and policies ask of a workload.
func outline(w *messages.Workload) *messages.Workload {
	if w == nil {
		return nil
	}
	o := *w
	o.WorkloadIPs, o.Services, o.Waypoint, o.NetworkGateway, o.ApplicationTunnel = nil, nil, nil, nil, nil
	return &o
}
