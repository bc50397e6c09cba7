package handover

import (
	"context"
	"net/netip"
	"sync"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// Listeners are a process's listening sockets: those that it has, to pass them to a successor, and those that its
// predecessor passed, until they are asked for. It is safe for concurrent use.
type Listeners struct {
	mu     sync.Mutex
	handed map[place]socket.Listener
	open   map[*heir]place
}

// place is where a socket listens.
type place struct {
	namespace Namespace
	address   netip.AddrPort
}

// NewListeners has none yet.
func NewListeners() *Listeners {
	return &Listeners{handed: map[place]socket.Listener{}, open: map[*heir]place{}}
}

// Hand takes over a listening socket of the predecessor. A second one for the same place is closed.
func (s *Listeners) Hand(namespace Namespace, l socket.Listener) {
	at := place{namespace, socket.Canonical(l.Addr())}
	s.mu.Lock()
	_, twice := s.handed[at]
	if !twice {
		s.handed[at] = l
	}
	s.mu.Unlock()
	if twice {
		_ = l.Close()
	}
}

// CloseRest closes what the predecessor passed and nobody asked for. It returns how many there were.
func (s *Listeners) CloseRest() int {
	s.mu.Lock()
	rest := s.handed
	s.handed = map[place]socket.Listener{}
	s.mu.Unlock()
	for _, l := range rest {
		_ = l.Close()
	}
	return len(rest)
}

// In is a network whose listening sockets are in a namespace: Listen takes the predecessor's where there is one, and makes
// one otherwise.
func (s *Listeners) In(namespace Namespace, network socket.Network) socket.Network {
	return &within{Network: network, all: s, namespace: namespace}
}

// Open calls visit for each open socket of a namespace that keep takes, until it fails.
func (s *Listeners) Open(keep func(Namespace) bool, visit func(Namespace, socket.Listener) error) error {
	s.mu.Lock()
	open := make(map[*heir]place, len(s.open))
	for l, at := range s.open {
		if keep(at.namespace) {
			open[l] = at
		}
	}
	s.mu.Unlock()
	for l, at := range open {
		if err := visit(at.namespace, l.Listener); err != nil {
			return err
		}
	}
	return nil
}

// within is a network that knows its predecessor's sockets.
type within struct {
	socket.Network
	all       *Listeners
	namespace Namespace
}

// Listen prefers the predecessor's socket, if it is as transparent as this one has to be.
func (w *within) Listen(ctx context.Context, address netip.AddrPort, o socket.ListenOptions) (socket.Listener, error) {
	at := place{w.namespace, socket.Canonical(address)}
	w.all.mu.Lock()
	l, ok := w.all.handed[at]
	if ok && (o.Transparent == socket.TransparentTry || l.Transparent() == (o.Transparent == socket.TransparentRequire)) {
		delete(w.all.handed, at)
	} else {
		ok = false
	}
	w.all.mu.Unlock()
	if !ok {
		var err error
		if l, err = w.Network.Listen(ctx, address, o); err != nil {
			return nil, err
		}
		at.address = socket.Canonical(l.Addr())
	}
	h := &heir{Listener: l, all: w.all}
	w.all.mu.Lock()
	w.all.open[h] = at
	w.all.mu.Unlock()
	return h, nil
}

// heir is a listening socket that is passed on if it is open when a successor comes.
type heir struct {
	socket.Listener
	all *Listeners
}

// Close stops listening; the successor's descriptor of the same socket does not notice.
func (h *heir) Close() error {
	h.all.mu.Lock()
	delete(h.all.open, h)
	h.all.mu.Unlock()
	return h.Listener.Close()
}
