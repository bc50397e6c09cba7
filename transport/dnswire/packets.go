package dnswire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// maxBatch is how many datagrams one system call reads or sends.
const maxBatch = 32

// packets is a socket that is served. The questions that one system call reads are handed over one after another, and the
// answers that there are by then leave together: on a busy socket two calls serve many questions. Later answers leave at
// once.
type packets struct {
	server *Server
	socket socket.PacketListener
	open   sync.WaitGroup // the requests that have not been answered
	last   int            // how many datagrams the last call read

	mu      sync.Mutex
	gathers *outgoing // while questions are handed over
}

// incoming is room for questions; its buffers become theirs.
type incoming struct {
	batch   *socket.Batch
	buffers [maxBatch]*buffers
}

// outgoing are answers that leave together, and the buffers that they are in.
type outgoing struct {
	batch   *socket.Batch
	buffers [maxBatch]*buffers
}

// buffers are those of one question over UDP.
type buffers struct {
	in  []byte // what came, which Query refers to
	out []byte
}

// pools keep what is used again. They are the server's: pools of the package would outlive a test's bubble.
type pools struct{ incoming, outgoing, buffers sync.Pool }

func (p *pools) takeIncoming() *incoming {
	in, ok := p.incoming.Get().(*incoming)
	if !ok {
		in = &incoming{batch: socket.NewBatch(maxBatch)}
	}
	return in
}

// giveIncoming keeps the places that are still empty with their batch.
func (p *pools) giveIncoming(in *incoming) {
	in.batch.Clear()
	p.incoming.Put(in)
}

func (p *pools) takeOutgoing() *outgoing {
	out, ok := p.outgoing.Get().(*outgoing)
	if !ok {
		out = &outgoing{batch: socket.NewBatch(maxBatch)}
	}
	return out
}

func (p *pools) takeBuffers() *buffers {
	b, ok := p.buffers.Get().(*buffers)
	if !ok {
		b = &buffers{in: make([]byte, packetSize), out: make([]byte, 0, packetSize)}
	}
	return b
}

// ServeUDP reads until reading ends, then waits for the answers that are due, and closes l. warn is told of errors.
func (s *Server) ServeUDP(l socket.PacketListener, handle Handler, warn func(error)) {
	p := &packets{server: s, socket: l, last: 1}
	defer func() {
		p.open.Wait()
		_ = l.Close() // a second time it only says so
	}()
	reader := l.Reader()
	var in *incoming
	take := func() *socket.Batch {
		in = p.room()
		return in.batch
	}
	give := func(*socket.Batch) { s.pools.giveIncoming(in) }
	var backoff socket.Backoff
	for {
		n, err := reader.Read(take, give)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			warn(err)
			_ = backoff.Wait(context.Background(), err)
			continue
		}
		backoff.Reset()
		p.handle(in, n, handle)
	}
}

// room is room for about as many questions as are likely to be there.
func (p *packets) room() *incoming {
	in := p.server.pools.takeIncoming()
	for i := range min(2*p.last, maxBatch) {
		if in.buffers[i] == nil {
			in.buffers[i] = p.server.pools.takeBuffers()
		}
		in.batch.AddRoom(in.buffers[i].in)
	}
	return in
}

// handle hands n questions over and sends the answers to them.
func (p *packets) handle(in *incoming, n int, handle Handler) {
	p.last = n
	requests := make([]Request, n) // never used again: messages that carry them may arrive twice
	now := time.Now()
	p.open.Add(n)
	p.gather()
	for i := range requests {
		r := &requests[i]
		size, from := in.batch.Read(i)
		r.server, r.packets, r.buffers, r.UDP, r.Peer, r.At = p.server, p, in.buffers[i], true, from, now
		in.buffers[i] = nil
		if !canReply(from) {
			p.server.Counters.Ignored.Add(1)
			r.ignore()
			continue
		}
		p.server.handle(r, r.buffers.in[:size], handle)
	}
	for i := n; i < maxBatch && in.buffers[i] != nil; i++ {
		p.server.pools.buffers.Put(in.buffers[i])
		in.buffers[i] = nil
	}
	p.server.pools.giveIncoming(in)
	p.flush()
}

// canReply reports whether an answer can go to whoever claims to have asked.
func canReply(from netip.AddrPort) bool {
	a := from.Addr()
	return from.Port() != 0 && a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// gather lets answers wait for each other.
func (p *packets) gather() {
	out := p.server.pools.takeOutgoing()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gathers = out
}

// flush sends the answers that have waited; later ones don't wait.
func (p *packets) flush() {
	p.mu.Lock()
	out := p.gathers
	p.gathers = nil
	p.mu.Unlock()
	p.sendAll(out)
}

// send sends an answer, or lets it wait for the others.
func (p *packets) send(r *Request, message []byte) {
	b := r.buffers
	if cap(message) <= maxKept {
		b.out = message
	}
	if p.joins(b, message, r.Peer) {
		return
	}
	out := p.server.pools.takeOutgoing()
	out.add(b, message, r.Peer)
	p.sendAll(out)
}

func (p *packets) joins(b *buffers, message []byte, peer netip.AddrPort) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gathers == nil || p.gathers.batch.Full() {
		return false
	}
	p.gathers.add(b, message, peer)
	return true
}

func (out *outgoing) add(b *buffers, message []byte, peer netip.AddrPort) {
	out.buffers[out.batch.Len()] = b
	out.batch.Add(message, peer)
}

// sendAll sends answers, after which their requests are done with.
func (p *packets) sendAll(out *outgoing) {
	n := out.batch.Len()
	if n > 0 {
		lost, _ := p.socket.TrySend(out.batch) // whoever asked asks again
		p.server.Counters.NotSent.Add(uint64(lost))
	}
	for i, b := range out.buffers[:n] {
		p.server.pools.buffers.Put(b)
		out.buffers[i] = nil
	}
	out.batch.Clear()
	p.server.pools.outgoing.Put(out)
	p.open.Add(-n)
}

// drop ends a request without an answer.
func (p *packets) drop(r *Request) {
	p.server.pools.buffers.Put(r.buffers)
	p.open.Done()
}
