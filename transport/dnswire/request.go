package dnswire

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// Asked is the message that a question came. It may come twice, be copied, or be lost and undelivered: the question is
// taken and answered once.
type Asked struct{ request *Request }

// Take makes the caller the one who answers. It is nil, and counted, when somebody has taken the question already.
func (a *Asked) Take() *Request {
	if a.request.taken.Swap(true) {
		a.request.server.Counters.Repeated.Add(1)
		return nil
	}
	return a.request
}

// Undeliver answers a question that nobody takes, or whose taker failed.
func (a *Asked) Undeliver() { a.request.Fail(dns.RcodeServerFailure) }

// Request is a question with the way back. Whoever has taken it calls Send or Fail, once, from any goroutine, and does not
// touch it afterwards. Further calls come to nothing.
type Request struct {
	Query
	// Peer is who asks, UDP how.
	Peer netip.AddrPort
	UDP  bool
	At   time.Time

	asked   Asked
	server  *Server
	packets *packets    // of UDP
	buffers *buffers    // of UDP
	sent    chan []byte // of TCP
	taken   atomic.Bool
	over    atomic.Bool
}

// Room is an empty buffer that Send takes.
func (r *Request) Room() []byte {
	if r.buffers == nil {
		return nil
	}
	return r.buffers.out[:0]
}

// Protocol is the name of the transport in metrics.
func (r *Request) Protocol() string {
	if r.UDP {
		return "udp"
	}
	return "tcp"
}

// Send sends the answer. A datagram that does not fit the socket's buffer is lost, as on a network, and counted.
func (r *Request) Send(message []byte) {
	switch {
	case r.over.Swap(true):
	case r.UDP:
		r.packets.send(r, message)
	default:
		r.sent <- message
	}
}

// Fail answers with an error.
func (r *Request) Fail(rcode int) {
	switch {
	case r.over.Swap(true):
	case r.UDP:
		r.packets.send(r, AppendError(r.Room(), &r.Query, rcode))
	default:
		r.sent <- AppendError(nil, &r.Query, rcode)
	}
}

// ignore ends a request without an answer.
func (r *Request) ignore() {
	switch {
	case r.over.Swap(true):
	case r.UDP:
		r.packets.drop(r)
	default:
		r.sent <- nil
	}
}
