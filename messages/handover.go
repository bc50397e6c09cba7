package messages

import (
	"net"
	"net/netip"
	"time"
)

// MaxHeld bounds the bytes that one direction of a connection may have on their way when it changes hands.
const MaxHeld = 1 << 20

// Held is what one direction of a relay was about: bytes that were read and are not written yet, and whether it has ended.
type Held struct {
	// Bytes are at most MaxHeld.
	Bytes []byte
	// Ended says that the end of the stream was passed on. Nothing is held then.
	Ended bool
}

// Halfway is a relay that was stopped between two bytes: another one, here or in another process, can go on.
type Halfway struct {
	// ToUpstream goes from downstream to upstream, ToDownstream the other way.
	ToUpstream, ToDownstream Held
	// ClosedBy is who ended a direction, where one has ended: client, server or proxy.
	ClosedBy string
}

// HandOver asks a flow to stop its relay and to offer its legs to the sender, who owes a LegTaken or a LegRefused. A flow
// whose connection can't change hands answers LegKept and goes on.
type HandOver struct {
	// Registered is what the registry knows of the connection.
	Registered RegisterConnection
}

// LegOffered answers HandOver. The flow keeps owning both connections, and touches neither until it has the answer.
type LegOffered struct {
	Leg Leg
	// Downstream and Upstream are the kernel's sockets.
	Downstream, Upstream net.Conn
}

// LegKept answers HandOver: the connection stays where it is.
type LegKept struct {
	// Tunnelled says that it is a stream of an HBONE tunnel; otherwise it is not set up yet, or ends anyway.
	Tunnelled bool
	Peer      netip.AddrPort
	Since     time.Time
}

// LegTaken tells the flow that another process carries its connection on, LegRefused that nobody does.
type (
	LegTaken   struct{}
	LegRefused struct{}
)

// RelayStopped tells a flow that its relay stands still, by its own wish.
type RelayStopped struct{ At Halfway }

// Leg is a plain connection that changes hands: what the flow that goes on must know of it.
type Leg struct {
	// Entrance is where it came in.
	Entrance Entrance
	// Record is the connection's; its recorder has the ids and the start only.
	Record Record
	// Registered is what the registry knows of it.
	Registered RegisterConnection
	// Received and Sent are what it has carried so far.
	Received, Sent uint64
	At             Halfway
}

// AdoptLeg hands a pod a connection of another process; the pod owns both sockets from then on.
type AdoptLeg struct {
	Leg                  Leg
	Downstream, Upstream net.Conn
}

// Undeliver closes a connection that nobody carries on.
func (a *AdoptLeg) Undeliver() {
	_ = a.Downstream.Close()
	_ = a.Upstream.Close()
}
