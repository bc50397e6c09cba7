package wire

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/troupe-mesh/troupe/transport/wire/discovery"
	"github.com/troupe-mesh/troupe/transport/wire/security"
	"github.com/troupe-mesh/troupe/transport/wire/workload"
)

// The bytes were made by the generated code, or by protoc with the .proto files, of Istio and Envoy themselves: testdata has
// them as hexadecimal digits, and beside them as text in the words of ours.
func TestGoldenBytes(t *testing.T) {
	for name, test := range map[string]struct {
		message proto.Message
		// foreign says that the bytes have fields that ours leave out.
		foreign bool
	}{
		"workload":      {&workload.Address{}, false},
		"service":       {&workload.Address{}, false},
		"authorization": {&security.Authorization{}, false},
		"request":       {&discovery.DeltaDiscoveryRequest{}, false},
		"response":      {&discovery.DeltaDiscoveryResponse{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			golden := readHex(t, "testdata/"+name+".hex")
			text, err := os.ReadFile("testdata/" + name + ".txtpb")
			if err != nil {
				t.Fatal(err)
			}
			want := test.message.ProtoReflect().New().Interface()
			if err := prototext.Unmarshal(text, want); err != nil {
				t.Fatal(err)
			}
			got := test.message
			if err := (proto.UnmarshalOptions{DiscardUnknown: test.foreign}).Unmarshal(golden, got); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(got, want) {
				t.Errorf("read %s\nwant %s", prototext.Format(got), prototext.Format(want))
			}
			if test.foreign {
				return
			}
			written, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(sorted(t, written, got), sorted(t, golden, got)) {
				t.Errorf("wrote %x\nwant  %x", written, golden)
			}
			if len(written) != len(golden) {
				t.Errorf("wrote %d bytes, want %d", len(written), len(golden))
			}
			everyField(t, want.ProtoReflect())
		})
	}
}

// sorted writes b anew, so that only what it says counts and not in which order fields came.
func sorted(t *testing.T, b []byte, like proto.Message) []byte {
	t.Helper()
	m := like.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// everyField wants each field of a message and of those of ours within it to be set in one place at least, so that the bytes
// tell of all of them.
func everyField(t *testing.T, m protoreflect.Message) {
	t.Helper()
	seen := map[protoreflect.FullName]bool{}
	missing := map[protoreflect.FullName]bool{}
	var visit func(m protoreflect.Message)
	visit = func(m protoreflect.Message) {
		if strings.HasPrefix(string(m.Descriptor().FullName()), "google.") {
			return
		}
		fields := m.Descriptor().Fields()
		for i := range fields.Len() {
			f := fields.Get(i)
			if m.Has(f) {
				seen[f.FullName()] = true
			} else if f.ContainingOneof() == nil {
				missing[f.FullName()] = true
			}
		}
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case f.IsMap():
				if f.MapValue().Message() != nil {
					v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { visit(v.Message()); return true })
				}
			case f.Message() == nil:
			case f.IsList():
				for i := range v.List().Len() {
					visit(v.List().Get(i).Message())
				}
			default:
				visit(v.Message())
			}
			return true
		})
	}
	visit(m)
	for name := range missing {
		// Extensions are read by nobody, and the workload has one.
		if !seen[name] && name != "envoy.service.discovery.v3.ErrorDetail.details" && name != "istio.workload.Extension.config" {
			t.Errorf("%s is nowhere set", name)
		}
	}
}

func readHex(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
