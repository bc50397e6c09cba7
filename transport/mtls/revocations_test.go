package mtls

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

func TestMissingFile(t *testing.T) {
	root := newRoot(t, "root", nil)
	leaf := sign(t, root, leafTemplate(alice.String()))
	path := filepath.Join(t.TempDir(), "later", "ca-crl.pem")
	r, err := NewRevocations(path)
	if err != nil || r.lists() != nil || r.Version() != 0 {
		t.Fatalf("%v, lists %v", err, r.lists())
	}
	if _, err := r.Reload(); !os.IsNotExist(err) {
		t.Errorf("reload: %v: want that the file is missing", err)
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	writeCRL(t, path, []byte("not yet a list"))
	for range 2 {
		if r.lists() != nil {
			t.Fatal("lists of a file that has none")
		}
	}
	if r.failed == nil {
		t.Error("the broken file is not remembered")
	}
	writeCRL(t, path, crlPEM(revoke(t, root, nil, leaf)))
	if l := r.lists(); l == nil || l.Len() != 1 || r.Version() != 1 {
		t.Fatalf("the next verification found %v", l)
	}
}

func TestUnusableFileAtStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crl")
	writeCRL(t, path, []byte("not a valid CRL"))
	if _, err := NewRevocations(path); err == nil {
		t.Error("a broken file was taken")
	}
	if _, err := NewRevocations(t.TempDir()); err == nil || os.IsNotExist(err) {
		t.Errorf("a directory: %v", err)
	}
	writeCRL(t, path, nil)
	if r, err := NewRevocations(path); err != nil || r.lists() == nil || r.lists().Len() != 0 {
		t.Errorf("an empty file: %v", err)
	}
}

func TestReloadKeepsWhatItHas(t *testing.T) {
	root := newRoot(t, "root", nil)
	leaf := sign(t, root, leafTemplate(alice.String()))
	path, r := crlFile(t, crlPEM(revoke(t, root, nil, leaf)))
	good := r.lists()
	for name, spoil := range map[string]func(){
		"broken":   func() { writeCRL(t, path, []byte("-----BEGIN X509 CRL-----\nMIIB")) },
		"vanished": func() { _ = os.Remove(path) },
	} {
		spoil()
		if l, err := r.Reload(); err == nil || l != good || r.lists() != good {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	writeCRL(t, path, []byte(root.pem()))
	if l, err := r.Reload(); err != nil || l.Len() != 0 || r.Version() != 2 {
		t.Errorf("PEM without a list clears: %v, %v", l, err)
	}
}

func TestRevokedPeersAreRefused(t *testing.T) {
	root := newRoot(t, "root", nil)
	ca := sign(t, root, caTemplate("ca", nil))
	aliceLeaf, bobLeaf := sign(t, ca, leafTemplate(alice.String())), sign(t, ca, leafTemplate(bob.String()))
	client, server := certificate(t, alice, aliceLeaf, root.pem(), ca), certificate(t, bob, bobLeaf, root.pem(), ca)
	none := []byte(root.pem())
	for _, tt := range []struct {
		name           string
		client, server []byte // what the two know
		refuses        string // who
	}{
		{"nobody", none, none, ""},
		{"server's leaf", crlPEM(revoke(t, ca, nil, bobLeaf)), none, "client"},
		{"client's leaf", none, crlPEM(revoke(t, ca, nil, aliceLeaf)), "server"},
		{"server's CA", crlPEM(revoke(t, root, nil, ca)), none, "client"},
		{"client's CA", none, crlPEM(revoke(t, root, nil, ca)), "server"},
		{"somebody else", crlPEM(revoke(t, ca, nil, aliceLeaf)), crlPEM(revoke(t, ca, nil, bobLeaf)), ""},
	} {
		for _, tls12 := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				_, atClient := crlFile(t, tt.client)
				_, atServer := crlFile(t, tt.server)
				o := handshake(t, client.ClientConfig([]messages.Identity{bob}, Options{Revocations: atClient, TLS12: tls12}),
					server.ServerConfig(Options{Revocations: atServer, TLS12: tls12}))
				var revoked *RevokedError
				switch tt.refuses {
				case "":
					if !o.ok() {
						t.Fatal(o.err())
					}
				case "client":
					if !errors.As(o.client, &revoked) {
						t.Fatalf("client: %v", o.client)
					}
				case "server":
					if !errors.As(o.server, &revoked) {
						t.Fatalf("server: %v", o.server)
					}
				}
			})
		}
	}
}

func TestServerConfigFollowsItsLists(t *testing.T) {
	root := newRoot(t, "root", nil)
	c := workload(t, root, alice)
	_, r := crlFile(t, nil)
	with, without := c.ServerConfig(Options{Revocations: r}), c.ServerConfig(Options{})
	if with == without {
		t.Error("a configuration without lists is used with some")
	}
	if c.ServerConfig(Options{}) != without {
		t.Error("the configuration is not kept")
	}
}

// TestPeerIsJudgedAgain is a tunnel that was accepted before its peer was revoked.
func TestPeerIsJudgedAgain(t *testing.T) {
	root := newRoot(t, "root", nil)
	ca := sign(t, root, caTemplate("ca", nil))
	leaf := leafTemplate(bob.String())
	leaf.NotAfter = time.Now().Add(-time.Minute)
	bobLeaf, junk := sign(t, ca, leaf), sign(t, newRoot(t, "junk", nil), caTemplate("ca", nil))
	client := certificate(t, alice, sign(t, ca, leafTemplate(alice.String())), root.pem(), ca)
	server := certificate(t, bob, bobLeaf, root.pem(), junk, ca)
	path, r := crlFile(t, nil)
	then := func() time.Time { return time.Now().Add(-2 * time.Minute) } // of the handshake; now the leaf has expired
	o := Options{Revocations: r, Now: then}
	shaken := handshake(t, client.ClientConfig([]messages.Identity{bob}, o), server.ServerConfig(o))
	if !shaken.ok() {
		t.Fatal(shaken.err())
	}
	peers := []*Peer{client.Server(shaken.clientState, o), server.Client(shaken.serverState, o)}
	for _, step := range []struct {
		name    string
		content []byte
		want    [2]bool
	}{
		{"nothing", nil, [2]bool{}},
		{"somebody else", crlPEM(revoke(t, ca, nil, junk)), [2]bool{}},
		{"a namesake's list", crlPEM(revoke(t, junk, nil, bobLeaf)), [2]bool{}}, // it can't be believed: no revocation
		{"the leaf", crlPEM(revoke(t, ca, nil, bobLeaf)), [2]bool{true, false}},
		{"the CA", crlPEM(revoke(t, root, nil, ca)), [2]bool{true, true}},
		{"nothing again", nil, [2]bool{}},
	} {
		writeCRL(t, path, step.content)
		if _, err := r.Reload(); err != nil {
			t.Fatal(err)
		}
		for i, p := range peers {
			if version, err := p.Judge(); (err != nil) != step.want[i] || version != r.Version() {
				t.Errorf("%s: peer %d is judged %v by version %d", step.name, i, err, version)
			}
		}
	}
	if p := client.Server(shaken.clientState, Options{}); p != nil {
		t.Error("a peer is kept though there are no lists")
	}
}
