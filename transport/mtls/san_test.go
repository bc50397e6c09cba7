package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"reflect"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func TestIdentities(t *testing.T) {
	for _, tt := range []struct {
		name string
		san  []byte
		want []messages.Identity
	}{
		{"none", sanOf(), nil},
		{"one", sanOf(alice.String()), []messages.Identity{alice}},
		{"in order", sanOf(bob.String(), alice.String()), []messages.Identity{bob, alice}},
		{"others passed over", sanOf("spiffe://cluster.local/alice", alice.String(), "https://x"), []messages.Identity{alice}},
		{"as signed", sanOf("spiffe://a/ns/b%2fc/sa/d?e"), []messages.Identity{{TrustDomain: "a", Namespace: "b%2fc", ServiceAccount: "d?e"}}},
		{"other kinds of name", []byte{0x30, 0x05, 0x82, 0x03, 'a', '.', 'b'}, nil},
		{"broken", []byte{0x30, 0x7f}, nil},
		{"followed by something", append(sanOf(alice.String()), 0), nil},
	} {
		c := &x509.Certificate{Extensions: []pkix.Extension{{Id: []int{2, 5, 29, 15}}, {Id: oidSubjectAltName, Value: tt.san}}}
		if got := Identities(c); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v: want %v", tt.name, got, tt.want)
		}
	}
}

func TestPeerWithoutIdentity(t *testing.T) {
	anonymous := tls.ConnectionState{}
	nameless := tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
	for _, cs := range []tls.ConnectionState{anonymous, nameless} {
		if id, ok := PeerIdentity(cs); ok {
			t.Errorf("peer %v", id)
		}
		if id, ok := MatchedIdentity(cs, []messages.Identity{{}}); ok {
			t.Errorf("matched %v", id)
		}
	}
}

func FuzzURINames(f *testing.F) {
	f.Add(sanOf(alice.String(), "x"))
	f.Add([]byte{0x30, 0x80})
	f.Fuzz(func(t *testing.T, san []byte) {
		uris, err := uriNames(san)
		if err != nil && uris != nil {
			t.Fatal("names beside an error")
		}
		total := 0
		for _, u := range uris {
			total += len(u)
		}
		if total > len(san) {
			t.Fatalf("%d bytes of names in %d", total, len(san))
		}
	})
}
