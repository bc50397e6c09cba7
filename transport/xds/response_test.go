package xds

import (
	"bytes"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/troupe-mesh/troupe/transport/wire/discovery"
)

func sample() *discovery.DeltaDiscoveryResponse {
	return &discovery.DeltaDiscoveryResponse{
		SystemVersionInfo: "v", TypeUrl: Addresses.TypeURL(), Nonce: "n", RemovedResources: []string{"gone", "ns/gone"},
		Resources: []*discovery.Resource{
			{Name: "a", Version: "1", Aliases: []string{"/1.2.3.4", "net/::1"}, Resource: &anypb.Any{TypeUrl: "ignored", Value: []byte{1, 2}}},
			{Name: "empty", Resource: &anypb.Any{}},
			{Name: "none"},
			{},
		},
	}
}

// same compares our reading with the library's.
func agree(t *testing.T, b []byte) {
	t.Helper()
	var want discovery.DeltaDiscoveryResponse
	theirs := proto.Unmarshal(b, &want)
	got, err := parseResponse(b)
	if err != nil {
		if theirs == nil {
			t.Fatalf("refused %x: %v", b, err)
		}
		return
	}
	if theirs != nil {
		return // it looks into more fields than we do
	}
	made := &response{typeURL: want.TypeUrl, nonce: want.Nonce, removed: want.RemovedResources}
	for _, r := range want.Resources {
		p := packed{name: r.Name, version: r.Version, aliases: r.Aliases}
		if r.Resource != nil {
			p.body = append([]byte{}, r.Resource.Value...)
		}
		made.resources = append(made.resources, p)
	}
	if len(got.resources) != len(made.resources) {
		t.Fatalf("%d resources, want %d", len(got.resources), len(made.resources))
	}
	for i := range got.resources {
		g, w := got.resources[i], made.resources[i]
		if (g.body == nil) != (w.body == nil) || !bytes.Equal(g.body, w.body) {
			t.Fatalf("resource %d: body %x, want %x", i, g.body, w.body)
		}
		g.body, w.body = nil, nil
		if !reflect.DeepEqual(g, w) {
			t.Fatalf("resource %d: %+v, want %+v", i, g, w)
		}
	}
	got.resources, made.resources = nil, nil
	if !reflect.DeepEqual(got, made) {
		t.Fatalf("%+v, want %+v", got, made)
	}
}

func TestParseResponse(t *testing.T) {
	b, err := proto.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	agree(t, b)
	for n := range b {
		agree(t, b[:n])
	}
	if _, err := parseResponse([]byte{0x2a, 1, 0xff}); err == nil {
		t.Error("a nonce that is no text was taken")
	}
}

func FuzzResponse(f *testing.F) {
	b, err := proto.Marshal(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{0x12, 0x02, 0x12, 0x00})
	f.Fuzz(func(t *testing.T, b []byte) {
		agree(t, b)
		if batch, err := decode(b); err == nil {
			NewLedger().Apply(batch)
			_ = NewSession(nil, NewLedger(), false).Acknowledge(batch)
		}
	})
}
