package dnswire

import (
	"sync/atomic"
	"time"
)

// The bounds of a server.
const (
	// packetSize is the longest query that is read over UDP; what is longer is cut and can't be read.
	packetSize = 4096
	// maxKept bounds the buffers that are used again.
	maxKept = 8192
	// maxConns bounds the TCP connections of a listener.
	maxConns = 128
	// idleLimit is how long a TCP connection may take for a whole query, and for taking an answer (spec/control.md §6.1).
	idleLimit = 5 * time.Second
	// answerLimit is how long the answer to a query over TCP may take; whoever answers has shorter limits of its own.
	answerLimit = 30 * time.Second
)

// Counters count what a server does not answer as usual.
type Counters struct {
	// Ignored counts messages that are no questions, Malformed those that can't be read or that ask for something else
	// than one query, Refused the connections beyond the bound, NotSent the answers that did not get out, Repeated the
	// questions that were handed over once more. Mismatched is for UpstreamConfig.
	Ignored, Malformed, Refused, NotSent, Repeated, Mismatched atomic.Uint64
}

// Server serves the sockets of any number of pods.
type Server struct {
	// Counters are required.
	Counters *Counters

	pools pools
}

// Handler takes questions. It is called on the goroutine that reads and must not block.
type Handler func(*Asked)

// handle reads a query and hands it over, or answers it itself where it is no question.
func (s *Server) handle(r *Request, packet []byte, handle Handler) {
	switch v := ParseQuery(packet, &r.Query); v {
	case VerdictAnswer:
		r.asked.request = r
		handle(&r.asked)
	case VerdictIgnore:
		s.Counters.Ignored.Add(1)
		r.ignore()
	default:
		s.Counters.Malformed.Add(1)
		r.Fail(v.Rcode())
	}
}
