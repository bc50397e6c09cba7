package istiod

import (
	"maps"
	"slices"
	"strconv"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/troupe-mesh/troupe/transport/wire/discovery"
)

// service is the discovery service.
type service struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	server *Server
}

// Stream is one client's stream.
type Stream struct {
	// Number counts the streams of a server from 1; Node is the client's id.
	Number int
	Node   string

	server *Server
	node   string // NODE_NAME of its metadata
	kinds  map[string]*watched
	nonce  int

	mu      sync.Mutex
	changes []*Change
	wake    chan struct{}
}

// watched is what a client has said of one type.
type watched struct {
	wildcard bool
	names    map[string]bool
}

type deltaStream = grpc.BidiStreamingServer[discovery.DeltaDiscoveryRequest, discovery.DeltaDiscoveryResponse]

// DeltaAggregatedResources serves a client.
func (v *service) DeltaAggregatedResources(g deltaStream) error {
	s := &Stream{Number: v.server.number(), server: v.server, kinds: map[string]*watched{}, wake: make(chan struct{}, 1)}
	ctx := g.Context()
	if err := v.server.currentScript().open(ctx, s); err != nil {
		return err
	}
	requests, failed := make(chan *discovery.DeltaDiscoveryRequest), make(chan error, 1)
	go func() { // ends with the stream
		for {
			r, err := g.Recv()
			if err != nil {
				failed <- err
				return
			}
			v.server.observe(s.Number, r)
			select {
			case requests <- r:
			case <-ctx.Done():
				return
			}
		}
	}()
	v.server.World.join(s)
	defer v.server.World.leave(s)
	for {
		var err error
		select {
		case r := <-requests:
			err = s.request(g, r)
		case <-s.wake:
			err = s.pushed(g)
		case <-failed:
			return nil // the client has gone
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// push has a change sent.
func (s *Stream) push(c *Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes = append(s.changes, c)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Stream) takeChanges() []*Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	changes := s.changes
	s.changes = nil
	return changes
}

// request answers a request, if it is one that istiod answers.
func (s *Stream) request(g deltaStream, r *discovery.DeltaDiscoveryRequest) error {
	if s.Node == "" {
		if r.GetNode().GetId() == "" {
			return status.Error(codes.InvalidArgument, "missing node information")
		}
		s.Node = r.Node.Id
		s.node = r.Node.Metadata.GetFields()["NODE_NAME"].GetStringValue()
	}
	if r.ErrorDetail != nil {
		return nil
	}
	w, known := s.kinds[r.TypeUrl]
	if !known {
		w = &watched{names: map[string]bool{}}
		s.kinds[r.TypeUrl] = w
		w.wildcard = len(r.ResourceNamesSubscribe) == 0 || slices.Contains(r.ResourceNamesSubscribe, "*")
	} else if r.ResponseNonce != "" {
		return nil
	}
	asked, changed := w.follow(r)
	if known && !changed {
		return nil
	}
	return s.send(g, s.server.World.answer(s, r, w, asked))
}

// follow changes the subscription, and says whether it did; asked are the names that the request is about.
func (w *watched) follow(r *discovery.DeltaDiscoveryRequest) (asked []string, changed bool) {
	for _, name := range append(slices.Collect(maps.Keys(r.InitialResourceVersions)), r.ResourceNamesSubscribe...) {
		if name == "*" || slices.Contains(r.ResourceNamesUnsubscribe, name) {
			continue
		}
		asked = append(asked, name)
		changed = changed || !w.names[name]
		w.names[name] = true
	}
	for _, name := range r.ResourceNamesUnsubscribe {
		if name == "*" {
			w.wildcard = false
		}
		changed = changed || w.names[name]
		delete(w.names, name)
	}
	slices.Sort(asked)
	return slices.Compact(asked), changed
}

// pushed sends the changes that the client watches.
func (s *Stream) pushed(g deltaStream) error {
	for _, c := range s.takeChanges() {
		for _, kind := range []string{AddressType, AuthorizationType} {
			w := s.kinds[kind]
			if w == nil {
				continue
			}
			r := &discovery.DeltaDiscoveryResponse{TypeUrl: kind}
			for _, name := range slices.Sorted(maps.Keys(c.set[kind])) {
				if e := c.set[kind][name]; w.wildcard || w.names[name] || s.node != "" && e.node == s.node {
					r.Resources = append(r.Resources, e.resource)
					w.names[name] = true
				}
			}
			for _, name := range slices.Sorted(maps.Keys(c.removed[kind])) {
				if w.wildcard || w.names[name] {
					r.RemovedResources = append(r.RemovedResources, name)
				}
			}
			if len(r.Resources)+len(r.RemovedResources) == 0 {
				continue
			}
			if err := s.send(g, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Stream) send(g deltaStream, r *discovery.DeltaDiscoveryResponse) error {
	s.nonce++
	r.Nonce = strconv.Itoa(s.nonce)
	r, err := s.server.currentScript().answer(g.Context(), s, r)
	if err != nil || r == nil {
		return err
	}
	return g.Send(r)
}
