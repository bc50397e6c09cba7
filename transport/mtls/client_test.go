package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func TestClientVerifiesItsServer(t *testing.T) {
	ours, theirs := newRoot(t, "ours", nil), newRoot(t, "theirs", nil)
	client := workload(t, ours, alice)
	with := func(root *issuer, uris ...string) *Certificate {
		return certificate(t, bob, sign(t, root, leafTemplate(uris...)), ours.pem())
	}
	clientOnly := leafTemplate(bob.String())
	clientOnly.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	tests := []struct {
		name     string
		server   *Certificate
		expected []messages.Identity
		want     string // part of the client's error; empty means accepted as bob
	}{
		{"expected", with(ours, bob.String()), []messages.Identity{bob}, ""},
		{"one of the expected", with(ours, bob.String()), []messages.Identity{mars, bob}, ""},
		{"one of several presented", with(ours, alice.String(), bob.String()), []messages.Identity{bob}, ""},
		{
			"somebody else", with(ours, mars.String()),
			[]messages.Identity{bob, alice},
			"invalid peer certificate: identity verification error: peer did not present the expected SAN " +
				"(spiffe://cluster.local/ns/default/sa/bob,spiffe://cluster.local/ns/default/sa/alice), got spiffe://mars/ns/default/sa/bob",
		},
		{
			"nobody expected", with(ours, bob.String()), nil,
			"peer did not present the expected SAN (), got spiffe://cluster.local/ns/default/sa/bob",
		},
		{
			"no SPIFFE id", with(ours, "https://bob.example"),
			[]messages.Identity{bob},
			"expected SAN (spiffe://cluster.local/ns/default/sa/bob), got ",
		},
		{"zero identity expected of a server without one", with(ours), []messages.Identity{{}}, "expected SAN (spiffe:///ns//sa/), got "},
		{"foreign root", with(theirs, bob.String()), []messages.Identity{bob}, "unknown authority"},
		{"client usage only", certificate(t, bob, sign(t, ours, clientOnly), ours.pem()), []messages.Identity{bob}, "incompatible key usage"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := handshake(t, client.ClientConfig(tt.expected, Options{}), tt.server.ServerConfig(Options{}))
			if tt.want == "" {
				if id, _ := MatchedIdentity(o.clientState, tt.expected); !o.ok() || id != bob {
					t.Fatalf("want bob accepted, got %v, %v", id, o.err())
				}
				return
			}
			if o.client == nil || !strings.Contains(o.client.Error(), tt.want) {
				t.Fatalf("client's error %v: want %q", o.client, tt.want)
			}
			if e := (*PeerError)(nil); !errors.As(o.client, &e) {
				t.Fatalf("client's error is a %T: want a *PeerError", o.client)
			}
		})
	}
}

func TestClientSendsNoServerName(t *testing.T) {
	root := newRoot(t, "root", nil)
	server := workload(t, root, bob).ServerConfig(Options{}).Clone()
	var hello *tls.ClientHelloInfo
	server.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		hello = h
		return nil, nil
	}
	if o := handshake(t, workload(t, root, alice).ClientConfig([]messages.Identity{bob}, Options{}), server); !o.ok() {
		t.Fatal(o.err())
	}
	if hello.ServerName != "" || strings.Join(hello.SupportedProtos, ",") != "h2" {
		t.Fatalf("server name %q, ALPN %q", hello.ServerName, hello.SupportedProtos)
	}
}

func TestClientPresentsItselfWhateverRootsAreNamed(t *testing.T) {
	old, fresh := newRoot(t, "old", nil), newRoot(t, "new", nil)
	both := bundle(old, fresh)
	server := certificate(t, bob, sign(t, fresh, leafTemplate(bob.String())), both)
	client := certificate(t, alice, sign(t, old, leafTemplate(alice.String())), both)
	config := server.ServerConfig(Options{}).Clone()
	config.GetConfigForClient = nil
	config.ClientCAs = x509.NewCertPool()
	config.ClientCAs.AddCert(fresh.cert) // the one that the client is not of
	if o := handshake(t, client.ClientConfig([]messages.Identity{bob}, Options{}), config); !o.ok() {
		t.Fatal(o.err())
	}
}

func TestClientConfigKeepsItsOwnList(t *testing.T) {
	root := newRoot(t, "root", nil)
	expected := []messages.Identity{bob}
	config := workload(t, root, alice).ClientConfig(expected, Options{})
	expected[0] = mars
	if o := handshake(t, config, workload(t, root, bob).ServerConfig(Options{})); !o.ok() {
		t.Fatal(o.err())
	}
}

func TestClientConfigIsCheap(t *testing.T) {
	c := workload(t, newRoot(t, "root", nil), alice)
	expected := []messages.Identity{bob, alice}
	if n := testing.AllocsPerRun(100, func() { c.ClientConfig(expected, Options{}) }); n > 8 {
		t.Fatalf("%v allocations: want at most 8", n)
	}
}
