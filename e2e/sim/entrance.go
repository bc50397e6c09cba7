package sim

import (
	"net/netip"
	"sync"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// entrances are the connections that the nodes have accepted, by node and peer: flows, each of which owes one line of
// the access log, and tunnels of peers, which owe at most one, of a handshake that failed.
type entrances struct {
	mu      sync.Mutex
	flows   map[entrance]int
	tunnels map[entrance]int
}

type entrance struct {
	node string
	peer netip.AddrPort
}

// note notes a message that hands over a connection.
func (e *entrances) note(node string, d kit.Delivery) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.flows == nil {
		e.flows, e.tunnels = map[entrance]int{}, map[entrance]int{}
	}
	switch m := d.Message.(type) {
	case *messages.ConnectionAccepted:
		if m.Entrance == messages.EntranceHBONE {
			e.tunnels[entrance{node, m.Peer}]++
		} else {
			e.flows[entrance{node, m.Peer}]++
		}
	case *messages.StreamOpened:
		e.flows[entrance{node, m.Peer}]++
	}
}
