package dnswire

import (
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// Request is a question with the way back. Whoever has it calls Send or Fail, once, from any goroutine, and does not
// touch it afterwards.
type Request struct {
	Query
	// Peer is who asks, UDP how.
	Peer netip.AddrPort
	UDP  bool
	At   time.Time

	server  *Server
	packet  []byte // what came in, which Query refers to
	out     []byte
	packets socket.PacketListener // of UDP
	open    *sync.WaitGroup       // of UDP: the requests that have not been answered
	sent    chan []byte           // of TCP
	over    bool
}

// Room is an empty buffer that Send takes.
func (r *Request) Room() []byte { return r.out[:0] }

// Protocol is the name of the transport in metrics.
func (r *Request) Protocol() string {
	if r.UDP {
		return "udp"
	}
	return "tcp"
}

// Send sends the answer. A datagram that does not fit the socket's buffer is lost, as on a network, and counted.
func (r *Request) Send(message []byte) {
	if r.over {
		return
	}
	r.over = true
	if !r.UDP {
		r.sent <- message
		return
	}
	if err := r.packets.TrySend(message, r.Peer); err != nil {
		r.server.Counters.NotSent.Add(1)
	}
	if cap(message) <= maxKept {
		r.out = message
	}
	open := r.open
	r.server.release(r)
	open.Done()
}

// Fail answers with an error.
func (r *Request) Fail(rcode int) {
	if !r.over {
		r.Send(AppendError(r.Room(), &r.Query, rcode))
	}
}

// Undeliver answers a question that nobody takes.
func (r *Request) Undeliver() { r.Fail(dns.RcodeServerFailure) }
