package istiod

import (
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/troupe-mesh/troupe/transport/wire/discovery"
	"github.com/troupe-mesh/troupe/transport/wire/security"
	"github.com/troupe-mesh/troupe/transport/wire/workload"
)

// The types of resources that a World has.
const (
	AddressType       = "type.googleapis.com/istio.workload.Address"
	AuthorizationType = "type.googleapis.com/istio.security.Authorization"
)

// World is what a control plane knows. It is safe for concurrent use.
type World struct {
	mu sync.Mutex
	// kinds are the resources by type and name.
	kinds   map[string]map[string]*entry
	streams map[*Stream]struct{}
}

// entry is one resource.
type entry struct {
	resource *discovery.Resource
	// node is where a workload runs; behind are the services it is an endpoint of.
	node   string
	behind []string
}

// NewWorld makes an empty one.
func NewWorld() *World {
	return &World{
		kinds:   map[string]map[string]*entry{AddressType: {}, AuthorizationType: {}},
		streams: map[*Stream]struct{}{},
	}
}

// Change is what changes at once: each stream hears of it in one response for each type.
type Change struct {
	set     map[string]map[string]*entry
	removed map[string]map[string]bool
}

func (c *Change) put(kind, name string, e *entry) {
	delete(c.removed[kind], name)
	c.set[kind][name] = e
}

// Workload adds or replaces workloads.
func (c *Change) Workload(all ...*workload.Workload) {
	for _, w := range all {
		e := &entry{resource: resource(w.Uid, &workload.Address{Type: &workload.Address_Workload{Workload: w}}), node: w.Node}
		for _, ip := range w.Addresses {
			if addr, ok := netip.AddrFromSlice(ip); ok {
				e.resource.Aliases = append(e.resource.Aliases, w.Network+"/"+addr.String())
			}
		}
		e.behind = slices.Sorted(maps.Keys(w.Services))
		c.put(AddressType, w.Uid, e)
	}
}

// Service adds or replaces services.
func (c *Change) Service(all ...*workload.Service) {
	for _, s := range all {
		name := s.Namespace + "/" + s.Hostname
		e := &entry{resource: resource(name, &workload.Address{Type: &workload.Address_Service{Service: s}})}
		for _, a := range s.Addresses {
			if addr, ok := netip.AddrFromSlice(a.Address); ok && a.Length == nil {
				e.resource.Aliases = append(e.resource.Aliases, a.Network+"/"+addr.String())
			}
		}
		c.put(AddressType, name, e)
	}
}

// Policy adds or replaces policies.
func (c *Change) Policy(all ...*security.Authorization) {
	for _, p := range all {
		name := p.Namespace + "/" + p.Name
		e := &entry{resource: resource(name, p)}
		e.resource.Version = "" // istiod gives policies none
		c.put(AuthorizationType, name, e)
	}
}

// Raw adds or replaces a resource of any content.
func (c *Change) Raw(kind string, r *discovery.Resource) { c.put(kind, r.Name, &entry{resource: r}) }

// Remove removes resources of a type.
func (c *Change) Remove(kind string, names ...string) {
	for _, name := range names {
		delete(c.set[kind], name)
		c.removed[kind][name] = true
	}
}

// Change changes the world and tells every stream.
func (w *World) Change(change func(*Change)) {
	c := &Change{
		set:     map[string]map[string]*entry{AddressType: {}, AuthorizationType: {}},
		removed: map[string]map[string]bool{AddressType: {}, AuthorizationType: {}},
	}
	change(c)
	w.mu.Lock()
	defer w.mu.Unlock()
	for kind, all := range c.set {
		maps.Copy(w.kinds[kind], all)
	}
	for kind, names := range c.removed {
		for name := range names {
			delete(w.kinds[kind], name)
		}
	}
	for s := range w.streams {
		s.push(c)
	}
}

func (w *World) join(s *Stream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.streams[s] = struct{}{}
}

func (w *World) leave(s *Stream) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.streams, s)
}

// resource packs a message, with a hash of it as the version.
func resource(name string, m proto.Message) *discovery.Resource {
	packed := &anypb.Any{}
	if err := anypb.MarshalFrom(packed, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		panic(fmt.Sprintf("pack %s: %v", name, err)) // only strings that are not UTF-8 can't be packed
	}
	h := fnv.New64a()
	_, _ = h.Write(packed.Value) // never fails
	return &discovery.Resource{Name: name, Version: fmt.Sprintf("%016x", h.Sum64()), Resource: packed}
}
