package proxy

import (
	"context"
	"errors"
	"net/netip"
	"sync"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// ledger is a network that knows which of its listeners are open, and that fails when it is asked for one too many.
type ledger struct {
	socket.Network
	mu      sync.Mutex
	asked   int
	allowed int // listeners that may be made; negative is all
	open    map[netip.AddrPort]bool
}

var errNoMore = errors.New("no more listeners")

func newLedger(network socket.Network, allowed int) *ledger {
	return &ledger{Network: network, allowed: allowed, open: map[netip.AddrPort]bool{}}
}

func (l *ledger) Listen(ctx context.Context, addr netip.AddrPort, o socket.ListenOptions) (socket.Listener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	if l.allowed >= 0 && l.asked > l.allowed {
		return nil, errNoMore
	}
	listener, err := l.Network.Listen(ctx, addr, o)
	if err != nil {
		return nil, err
	}
	l.open[listener.Addr()] = true
	return &entry{listener, l}, nil
}

func (l *ledger) stillOpen() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

type entry struct {
	socket.Listener
	ledger *ledger
}

func (e *entry) Close() error {
	e.ledger.mu.Lock()
	defer e.ledger.mu.Unlock()
	delete(e.ledger.open, e.Addr())
	return e.Listener.Close()
}
