package xds

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/troupe-mesh/troupe/transport/wire/discovery"
)

// NodeConfig is what a node says of itself.
type NodeConfig struct {
	PodName, PodNamespace, InstanceIP string
	// NodeName is NODE_NAME; nil when unset.
	NodeName *string
	// Metadata wins over the names above, and JSON over that. Values of JSON must be valid.
	Metadata map[string]string
	JSON     map[string]json.RawMessage
}

// Node is the client's name for itself (spec/control.md §2.4): istiod wants four parts, a type it knows and an address.
func Node(c NodeConfig) (*discovery.Node, error) {
	fields := map[string]*structpb.Value{
		"NAME":         structpb.NewStringValue(c.PodName),
		"NAMESPACE":    structpb.NewStringValue(c.PodNamespace),
		"INSTANCE_IPS": structpb.NewStringValue(c.InstanceIP),
	}
	if c.NodeName != nil {
		fields["NODE_NAME"] = structpb.NewStringValue(*c.NodeName)
	}
	for key, value := range c.Metadata {
		fields[key] = structpb.NewStringValue(value)
	}
	for _, key := range slices.Sorted(maps.Keys(c.JSON)) {
		value := &structpb.Value{}
		if err := value.UnmarshalJSON(c.JSON[key]); err != nil {
			return nil, fmt.Errorf("ISTIO_METAJSON_%s: %w", key, err)
		}
		fields[key] = value
	}
	return &discovery.Node{
		Id: fmt.Sprintf("ztunnel~%s~%s.%s~%s.svc.cluster.local",
			c.InstanceIP, c.PodName, c.PodNamespace, c.PodNamespace),
		Metadata: &structpb.Struct{Fields: fields},
	}, nil
}
