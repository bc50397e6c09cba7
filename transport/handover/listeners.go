package handover

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// Listeners are a process's listening sockets, for datagrams too: those that it has, to pass them to a successor, and
// those that its predecessor passed, until they are asked for. It is safe for concurrent use.
type Listeners struct {
	mu     sync.Mutex
	handed map[place]handed
	open   map[Open]struct{}
}

// place is where a socket listens, and for whom.
type place struct {
	pod       string // its uid; empty for the process itself
	namespace Namespace
	address   netip.AddrPort
	packets   bool
}

// End is a listening socket: a [socket.Listener] or a [socket.PacketListener].
type End interface {
	Addr() netip.AddrPort
	Close() error
}

// handed is a socket of the predecessor.
type handed struct {
	pod Pod
	end End
}

// Open is a listening socket that is passed on if it is open when a successor comes.
type Open interface {
	// Tell is what the successor is told of it.
	Tell() *Listener
	// End is the socket itself.
	End() End
}

// NewListeners has none yet.
func NewListeners() *Listeners {
	return &Listeners{handed: map[place]handed{}, open: map[Open]struct{}{}}
}

// Hand takes over a listening socket of the predecessor. A second one for the same place is closed.
func (s *Listeners) Hand(pod Pod, namespace Namespace, end End) {
	_, packets := end.(socket.PacketListener)
	at := place{pod.UID, namespace, socket.Canonical(end.Addr()), packets}
	s.mu.Lock()
	_, twice := s.handed[at]
	if !twice {
		s.handed[at] = handed{pod, end}
	}
	s.mu.Unlock()
	if twice {
		_ = end.Close()
	}
}

// Pod is a pod of the predecessor of which nobody has asked for the sockets yet: what it is called, and a handle of its
// network namespace, which the caller owns; false where there is none.
func (s *Listeners) Pod(uid string) (messages.WorkloadInfo, *socket.Namespace, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, h := range s.handed {
		if uid == "" || at.pod != uid {
			continue
		}
		if ns, err := socket.NamespaceOf(h.end); err == nil {
			return h.pod.Info, ns, true
		}
	}
	return messages.WorkloadInfo{}, nil, false
}

// CloseRest closes what the predecessor passed and nobody asked for. It returns how many there were, and the uids of the
// pods that they served.
func (s *Listeners) CloseRest() (count int, pods []string) {
	s.mu.Lock()
	rest := s.handed
	s.handed = map[place]handed{}
	s.mu.Unlock()
	uids := map[string]struct{}{}
	for at, h := range rest {
		_ = h.end.Close()
		if at.pod != "" {
			uids[at.pod] = struct{}{}
		}
	}
	return len(rest), slices.Sorted(maps.Keys(uids))
}

// In is a network whose listening sockets are in a namespace, for a pod: Listen takes the predecessor's where there is one,
// and makes one otherwise. It is a [socket.PacketNetwork] where network is.
func (s *Listeners) In(pod Pod, namespace Namespace, network socket.Network) socket.Network {
	w := &within{Network: network, all: s, pod: pod, namespace: namespace}
	if packets, ok := network.(socket.PacketNetwork); ok {
		return &withinPackets{within: w, PacketNetwork: packets}
	}
	return w
}

// Each calls visit for each open socket that keep takes, until it fails. One that is closed meanwhile is visited too.
func (s *Listeners) Each(keep func(*Listener) bool, visit func(Open) error) error {
	s.mu.Lock()
	open := slices.Collect(maps.Keys(s.open))
	s.mu.Unlock()
	for _, o := range open {
		if !keep(o.Tell()) {
			continue
		}
		if err := visit(o); err != nil {
			return err
		}
	}
	return nil
}

// take takes a socket of the predecessor, if it fits.
func take[E End](s *Listeners, at place, fits func(E) bool) (E, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	end, ok := s.handed[at].end.(E)
	if !ok || !fits(end) {
		var none E
		return none, false
	}
	delete(s.handed, at)
	return end, true
}

func (s *Listeners) opened(o Open) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[o] = struct{}{}
}

func (s *Listeners) closed(o Open) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, o)
}

// within is a network that knows its predecessor's sockets.
type within struct {
	socket.Network
	all       *Listeners
	pod       Pod
	namespace Namespace
}

func (w *within) at(address netip.AddrPort, packets bool) place {
	return place{w.pod.UID, w.namespace, socket.Canonical(address), packets}
}

func (w *within) tell(address netip.AddrPort, packets bool) Listener {
	return Listener{Pod: w.pod, Namespace: w.namespace, Address: address, Packets: packets}
}

// Listen prefers the predecessor's socket, if it is as transparent as this one has to be.
func (w *within) Listen(ctx context.Context, address netip.AddrPort, o socket.ListenOptions) (socket.Listener, error) {
	l, ok := take(w.all, w.at(address, false), func(l socket.Listener) bool {
		return o.Transparent == socket.TransparentTry || l.Transparent() == (o.Transparent == socket.TransparentRequire)
	})
	if !ok {
		var err error
		if l, err = w.Network.Listen(ctx, address, o); err != nil {
			return nil, err
		}
	}
	h := &heir{Listener: l, all: w.all, tell: w.tell(l.Addr(), false)}
	w.all.opened(h)
	return h, nil
}

var _ socket.LoopbackProbe = (*withinPackets)(nil)

// withinPackets has datagrams too.
type withinPackets struct {
	*within
	socket.PacketNetwork
}

// ListenPacket prefers the predecessor's socket.
func (w *withinPackets) ListenPacket(ctx context.Context, address netip.AddrPort, o socket.ListenOptions) (socket.PacketListener, error) {
	p, ok := take(w.all, w.at(address, true), func(socket.PacketListener) bool { return true })
	if !ok {
		var err error
		if p, err = w.PacketNetwork.ListenPacket(ctx, address, o); err != nil {
			return nil, err
		}
	}
	h := &packetHeir{PacketListener: p, all: w.all, tell: w.tell(p.Addr(), true)}
	w.all.opened(h)
	return h, nil
}

// HasIPv6Loopback implements [socket.LoopbackProbe].
func (w *withinPackets) HasIPv6Loopback() bool {
	probe, ok := w.Network.(socket.LoopbackProbe)
	return !ok || probe.HasIPv6Loopback()
}

// heir and packetHeir are open sockets.
type (
	heir struct {
		socket.Listener
		all  *Listeners
		tell Listener
	}
	packetHeir struct {
		socket.PacketListener
		all  *Listeners
		tell Listener
	}
)

// Close stops listening; the successor's descriptor of the same socket does not notice.
func (h *heir) Close() error {
	h.all.closed(h)
	return h.Listener.Close()
}

// Tell implements Open.
func (h *heir) Tell() *Listener { return &h.tell }

// End implements Open.
func (h *heir) End() End { return h.Listener }

// Close stops listening; the successor's descriptor of the same socket does not notice.
func (h *packetHeir) Close() error {
	h.all.closed(h)
	return h.PacketListener.Close()
}

// Tell implements Open.
func (h *packetHeir) Tell() *Listener { return &h.tell }

// End implements Open.
func (h *packetHeir) End() End { return h.PacketListener }
