package ca

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/structpb"
)

// What istiod reads and writes, written down by hand from the field numbers of spec/control.md §1.3.
var golden = []struct {
	name    string
	message proto.Message
	bytes   []byte
}{
	{
		"request", &IstioCertificateRequest{
			Csr: "CSR", ValidityDuration: 86400,
			Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{"ImpersonatedIdentity": structpb.NewStringValue("spiffe://a")}},
		},
		bytes.Join([][]byte{
			{1<<3 | 2, 3},
			[]byte("CSR"),
			{3 << 3, 0x80, 0xa3, 0x05},
			{4<<3 | 2, 38, 1<<3 | 2, 36, 1<<3 | 2, 20},
			[]byte("ImpersonatedIdentity"), // an entry of Struct.fields: its key,
			{2<<3 | 2, 12, 3<<3 | 2, 10},
			[]byte("spiffe://a"), // its value, a Value.string_value
		}, nil),
	},
	{"request of a dedicated proxy", &IstioCertificateRequest{Csr: "C", ValidityDuration: 1}, []byte{1<<3 | 2, 1, 'C', 3 << 3, 1}},
	{
		"response", &IstioCertificateResponse{CertChain: []string{"leaf", "root"}},
		bytes.Join([][]byte{{1<<3 | 2, 4}, []byte("leaf"), {1<<3 | 2, 4}, []byte("root")}, nil),
	},
	{"empty response", &IstioCertificateResponse{}, []byte{}},
}

func TestGoldenBytes(t *testing.T) {
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			got, err := proto.MarshalOptions{Deterministic: true}.Marshal(g.message)
			if err != nil || !bytes.Equal(got, g.bytes) {
				t.Errorf("written as\n%x\nwant\n%x (%v)", got, g.bytes, err)
			}
			read := g.message.ProtoReflect().New().Interface()
			if err := proto.Unmarshal(g.bytes, read); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(g.message, read, protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnknownFieldsAreAccepted(t *testing.T) {
	var r IstioCertificateResponse
	if err := proto.Unmarshal(append([]byte{15<<3 | 2, 1, 'x'}, golden[2].bytes...), &r); err != nil || len(r.CertChain) != 2 {
		t.Errorf("%v: %v", err, r.CertChain)
	}
}

func TestNames(t *testing.T) {
	if IstioCertificateService_CreateCertificate_FullMethodName != "/istio.v1.auth.IstioCertificateService/CreateCertificate" {
		t.Error(IstioCertificateService_CreateCertificate_FullMethodName)
	}
}
