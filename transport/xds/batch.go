package xds

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/wire/security"
	"github.com/troupe-mesh/troupe/transport/wire/workload"
)

// Batch is a response in terms of the model.
type Batch struct {
	Kind    Kind
	TypeURL string
	Nonce   string
	// Items were understood, in the order of the response; Rejected were not.
	Items    []Item
	Rejected []Reject
	// Removed are the names of what has gone. A name that is in Items too has gone all the same.
	Removed []string
	// Bytes is the size of the resources.
	Bytes int
}

// Item is a resource that was understood: one of Workload, Service and Policy is set.
type Item struct {
	Name, Version string
	// Aliases are further names under which it is found: network/ip.
	Aliases  []string
	Workload *messages.WorkloadUpdate
	Service  *messages.Service
	Policy   *messages.Authorization
}

// Reject is a resource that was not understood.
type Reject struct {
	Name    string
	Aliases []string
	Reason  error
}

// maxName bounds the name of a resource, in bytes. Those of Kubernetes make a few hundred at most.
const maxName = 4096

// maxTold is how much of a longer one is told, in bytes.
const maxTold = 256

var (
	errName      = fmt.Errorf("its name, of which this is the beginning, has more than %d bytes", maxName)
	errNoBody    = errors.New("the resource is missing")
	errNoAddress = errors.New("unknown address type: neither a workload nor a service")
)

// decode makes the model of a response's bytes. It fails only when the response as a whole can't be read; a resource that
// can't is a Reject.
func decode(b []byte) (*Batch, error) {
	r, err := parseResponse(b)
	if err != nil {
		return nil, err
	}
	batch := &Batch{Kind: kindOf(r.typeURL), TypeURL: r.typeURL, Nonce: r.nonce, Removed: r.removed}
	if batch.Kind != unknownKind {
		batch.Items = make([]Item, 0, len(r.resources))
	}
	c := newConverter()
	for i := range r.resources {
		p := &r.resources[i]
		batch.Bytes += len(p.body)
		if batch.Kind == unknownKind {
			continue
		}
		item := Item{Name: p.name, Version: p.version, Aliases: p.aliases}
		if len(p.name) > maxName {
			batch.Rejected = append(batch.Rejected, Reject{Name: shortened(p.name, maxTold), Aliases: p.aliases, Reason: errName})
			continue
		}
		if err := c.convert(batch.Kind, p, &item); err != nil {
			batch.Rejected = append(batch.Rejected, Reject{Name: p.name, Aliases: p.aliases, Reason: err})
			continue
		}
		batch.Items = append(batch.Items, item)
	}
	return batch, nil
}

// converter makes the model of resources. It uses the same messages again and again.
type converter struct {
	address workload.Address
	policy  security.Authorization
	ports   map[string]messages.PortMap
	scratch []byte
}

func newConverter() *converter { return &converter{ports: map[string]messages.PortMap{}} }

func (c *converter) convert(kind Kind, p *packed, item *Item) (err error) {
	if p.body == nil {
		return errNoBody
	}
	if kind == Authorizations {
		if err := proto.Unmarshal(p.body, &c.policy); err != nil {
			return fmt.Errorf("decode: %w", err)
		}
		item.Policy, err = policyOf(p.name, &c.policy)
		return err
	}
	if err := proto.Unmarshal(p.body, &c.address); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	switch a := c.address.Type.(type) {
	case *workload.Address_Workload:
		if item.Workload, err = c.workloadOf(a.Workload); err == nil && a.Workload.Uid == p.name {
			item.Workload.Workload.UID = p.name // it is there once
		}
	case *workload.Address_Service:
		item.Service, err = c.serviceOf(a.Service)
	default:
		err = errNoAddress
	}
	return err
}
