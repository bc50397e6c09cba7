package bubble

import (
	"context"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/messages"
	wire "github.com/troupe-mesh/troupe/transport/wire/discovery"
	"github.com/troupe-mesh/troupe/transport/xds"
)

// Plane is a control plane that nodes have streams to, in place of the mesh that they are told at their start: it echoes
// what istiod does on the wire (e2e/istiod), in virtual time and without a wire. Its methods may be called from anywhere.
type Plane struct {
	mu      sync.Mutex
	held    [xds.Kinds]map[string]xds.Item
	version int
	streams map[*planeStream]bool
	opened  int
	away    error         // why streams can't be opened
	mute    bool          // nothing is answered
	delay   time.Duration // how late answers are
	nacks   []string
}

// ErrAway is what a control plane that is away is noticed by.
var ErrAway = status.Error(codes.Unavailable, "connection refused")

// Plane makes a control plane that knows the world's mesh.
func (w *World) Plane() *Plane {
	p := &Plane{streams: map[*planeStream]bool{}}
	for k := range p.held {
		p.held[k] = map[string]xds.Item{}
	}
	p.Push(w.mesh)
	return p
}

// Control is how a node finds it.
func (p *Plane) Control() *discovery.Control {
	return &discovery.Control{Opener: p, Node: &wire.Node{Id: "bubble"}, Random: func() float64 { return 0.5 }}
}

// Push adds or replaces what is in m, and tells every stream, as one batch for each kind.
func (p *Plane) Push(m Mesh) { p.Change(m.State(), nil, nil) }

// Change adds or replaces a state, and removes addresses and policies by name.
func (p *Plane) Change(s discovery.State, addresses, policies []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.version++
	version := strconv.Itoa(p.version)
	var batches [xds.Kinds]xds.Batch
	put := func(k xds.Kind, item xds.Item) {
		item.Version = version
		p.held[k][item.Name] = item
		batches[k].Items = append(batches[k].Items, item)
	}
	for i := range s.Workloads {
		u := &s.Workloads[i]
		item := xds.Item{Name: u.Workload.UID, Workload: u}
		for _, ip := range u.Workload.WorkloadIPs {
			item.Aliases = append(item.Aliases, messages.NetworkAddress{Network: u.Workload.Network, Addr: ip}.String())
		}
		put(xds.Addresses, item)
	}
	for _, u := range s.Services {
		put(xds.Addresses, xds.Item{Name: u.Service.Key().String(), Service: u.Service})
	}
	for _, a := range s.Policies {
		put(xds.Authorizations, xds.Item{Name: a.Key, Policy: a})
	}
	for k, names := range [xds.Kinds][]string{xds.Addresses: addresses, xds.Authorizations: policies} {
		for _, name := range names {
			delete(p.held[k], name)
		}
		batches[k].Removed = names
	}
	for k := range batches {
		if len(batches[k].Items)+len(batches[k].Removed) > 0 {
			p.tell(xds.Kind(k), batches[k])
		}
	}
}

// Reject tells every stream of resources that can't be understood, beside some that can.
func (p *Plane) Reject(k xds.Kind, rejected []xds.Reject, items ...xds.Item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, item := range items {
		p.held[k][item.Name] = item
	}
	p.tell(k, xds.Batch{Rejected: rejected, Items: items})
}

// tell gives every stream that has asked for the kind a batch of its own.
func (p *Plane) tell(k xds.Kind, b xds.Batch) {
	for s := range p.streams {
		if s.asked[k] {
			s.queue(k, b)
		}
	}
}

// Away ends all streams with err, and lets none be opened until Back.
func (p *Plane) Away(err error) {
	p.mu.Lock()
	p.away = err
	p.mu.Unlock()
	p.Cut(err)
}

// Back lets streams be opened.
func (p *Plane) Back() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = nil
}

// Cut ends all streams with err; io.EOF is the good end.
func (p *Plane) Cut(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.streams {
		s.end(err)
	}
}

// Mute makes nothing be answered or told, or ends that for streams that are opened from then on.
func (p *Plane) Mute(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = on
}

// Delay makes everything be said so much later.
func (p *Plane) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Settled reports whether a node has a stream and has acknowledged all that it was told.
func (p *Plane) Settled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.streams {
		if s.asked == [xds.Kinds]bool{true, true} && s.owed == 0 {
			return true
		}
	}
	return false
}

// Opened is how many streams were opened so far.
func (p *Plane) Opened() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened
}

// NACKs are the complaints so far.
func (p *Plane) NACKs() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.nacks)
}

// Open opens a stream.
func (p *Plane) Open(context.Context) (xds.Stream, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away != nil {
		return nil, p.away
	}
	p.opened++
	s := &planeStream{plane: p, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	p.streams[s] = true
	return s, nil
}

// planeStream is a node's stream. The plane's lock is for all of it but the channels.
type planeStream struct {
	plane *Plane
	asked [xds.Kinds]bool
	nonce int
	owed  int // answers that were not acknowledged
	said  []*xds.Batch
	wake  chan struct{}
	ended chan struct{}
	err   error
}

var _ xds.Stream = (*planeStream)(nil)

// Send answers the first request for a kind by what has changed since the versions that it tells.
func (s *planeStream) Send(r *wire.DeltaDiscoveryRequest) error {
	p := s.plane
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if r.ErrorDetail != nil {
		p.nacks = append(p.nacks, r.ErrorDetail.Message)
	}
	k := xds.Addresses
	if r.TypeUrl == xds.Authorizations.TypeURL() {
		k = xds.Authorizations
	}
	if r.ResponseNonce != "" {
		s.owed--
		return nil
	}
	if s.asked[k] {
		return nil
	}
	s.asked[k] = true
	var b xds.Batch
	for _, name := range slices.Sorted(maps.Keys(p.held[k])) {
		if item := p.held[k][name]; r.InitialResourceVersions[name] != item.Version {
			b.Items = append(b.Items, item)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.InitialResourceVersions)) {
		if _, ok := p.held[k][name]; !ok {
			b.Removed = append(b.Removed, name)
		}
	}
	s.queue(k, b)
	return nil
}

// queue has a batch said.
func (s *planeStream) queue(k xds.Kind, b xds.Batch) {
	if s.plane.mute {
		return
	}
	s.nonce++
	s.owed++
	b.Kind, b.TypeURL, b.Nonce = k, k.TypeURL(), strconv.Itoa(s.nonce)
	s.said = append(s.said, &b)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Receive waits for what is said next.
func (s *planeStream) Receive() (*xds.Batch, error) {
	for {
		s.plane.mu.Lock()
		delay := s.plane.delay
		var next *xds.Batch
		if len(s.said) > 0 {
			next, s.said = s.said[0], s.said[1:]
		}
		s.plane.mu.Unlock()
		if next != nil {
			if delay > 0 {
				select {
				case <-time.After(delay):
				case <-s.ended:
				}
			}
			return next, nil
		}
		select {
		case <-s.wake:
		case <-s.ended:
			s.plane.mu.Lock()
			defer s.plane.mu.Unlock()
			return nil, s.err
		}
	}
}

// Close is the node's end of it.
func (s *planeStream) Close() {
	s.plane.mu.Lock()
	defer s.plane.mu.Unlock()
	s.end(io.ErrClosedPipe)
}

func (s *planeStream) end(err error) {
	if s.err == nil {
		s.err = err
		close(s.ended)
		delete(s.plane.streams, s)
	}
}
