package mtls

import (
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// expired ends a certificate's validity an hour ago.
func expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
}

func TestRoots(t *testing.T) {
	root := newRoot(t, "root", nil)
	tests := []struct {
		name    string
		edit    func(*x509.Certificate)
		skipped string // part of why it is no anchor; empty means that it is one
	}{
		{"ordinary", nil, ""},
		{"expired", expired, ""},
		{"not valid yet", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		}, ""},
		{"client usage only", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }, ""},
		{"no key usage", func(c *x509.Certificate) { c.KeyUsage = 0 }, ""},
		{"no CA", func(c *x509.Certificate) { c.IsCA = false }, "not a CA"},
		{"no basic constraints", func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = false, false }, "not a CA"},
		{"may not sign", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }, "its key usage forbids signing certificates"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			odd := newRoot(t, "odd", func(c *x509.Certificate) {
				c.SerialNumber = big.NewInt(42)
				if tt.edit != nil {
					tt.edit(c)
				}
			})
			client := certificate(t, alice, sign(t, odd, leafTemplate(alice.String())), root.pem())
			server := certificate(t, bob, sign(t, root, leafTemplate(bob.String())), bundle(root, odd))
			o := handshake(t, client.ClientConfig([]messages.Identity{bob}, Options{}), server.ServerConfig(Options{}))
			if o.ok() != (tt.skipped == "") {
				t.Fatalf("accepted %v, %v", o.ok(), o.err())
			}
			if tt.skipped == "" {
				if len(server.Skipped) > 0 {
					t.Fatalf("skipped %v", server.Skipped)
				}
				return
			}
			want := `root "CN=odd", serial number 42: ` + tt.skipped
			if len(server.Skipped) != 1 || server.Skipped[0].Error() != want {
				t.Fatalf("skipped %v: want %s", server.Skipped, want)
			}
		})
	}
}

func TestNoAnchorMeansNobody(t *testing.T) {
	root := newRoot(t, "root", nil)
	useless := newRoot(t, "useless", func(c *x509.Certificate) { c.IsCA = false })
	lonely := certificate(t, bob, sign(t, root, leafTemplate(bob.String())), useless.pem())
	peer := workload(t, root, alice)
	in := handshake(t, peer.ClientConfig([]messages.Identity{bob}, Options{}), lonely.ServerConfig(Options{}))
	if !errors.Is(in.server, ErrNoTrustAnchor) {
		t.Errorf("as server: %v", in.server)
	}
	out := handshake(t, lonely.ClientConfig([]messages.Identity{alice}, Options{}), peer.ServerConfig(Options{}))
	if !errors.Is(out.client, ErrNoTrustAnchor) {
		t.Errorf("as client: %v", out.client)
	}
}

func TestMultiRoot(t *testing.T) {
	one, two := newRoot(t, "one", nil), newRoot(t, "two", nil)
	both := bundle(one, two)
	client := certificate(t, alice, sign(t, one, leafTemplate(alice.String())), both)
	server := certificate(t, bob, sign(t, two, leafTemplate(bob.String())), both)
	if o := handshake(t, client.ClientConfig([]messages.Identity{bob}, Options{}), server.ServerConfig(Options{})); !o.ok() {
		t.Fatal(o.err())
	}
	narrow := certificate(t, bob, sign(t, two, leafTemplate(bob.String())), two.pem())
	o := handshake(t, client.ClientConfig([]messages.Identity{bob}, Options{}), narrow.ServerConfig(Options{}))
	if o.server == nil || !strings.Contains(o.server.Error(), "unknown authority") {
		t.Fatalf("a client of a root that is not trusted: %v", o.server)
	}
}

func TestIntermediates(t *testing.T) {
	root := newRoot(t, "root", nil)
	junk := newRoot(t, "junk", nil)
	tests := []struct {
		name         string
		intermediate func(*x509.Certificate)
		hidden       bool // not presented
		want         string
	}{
		{"ordinary", nil, false, ""},
		{"not presented", nil, true, "unknown authority"},
		{"expired", expired, false, "expired or is not yet valid"},
		{"no CA", func(c *x509.Certificate) { c.IsCA = false }, false, "x509"},
		{"other usage", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning} }, false, "incompatible key usage"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			middle := sign(t, root, caTemplate("middle", tt.intermediate))
			presented := []*issuer{junk, middle}
			if tt.hidden {
				presented = presented[:1]
			}
			client := certificate(t, alice, sign(t, middle, leafTemplate(alice.String())), root.pem(), presented...)
			o := handshake(t, client.ClientConfig([]messages.Identity{bob}, Options{}), workload(t, root, bob).ServerConfig(Options{}))
			if tt.want == "" && !o.ok() {
				t.Fatal(o.err())
			}
			if tt.want != "" && (o.server == nil || !strings.Contains(o.server.Error(), tt.want)) {
				t.Fatalf("server's error %v: want %q", o.server, tt.want)
			}
		})
	}
}

func TestPathLength(t *testing.T) {
	root := newRoot(t, "root", func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true })
	outer := sign(t, root, caTemplate("outer", func(c *x509.Certificate) { c.MaxPathLen, c.MaxPathLenZero = 0, true }))
	inner := sign(t, outer, caTemplate("inner", nil))
	server := workload(t, root, bob)
	// The anchor's own path length is not looked at, an intermediate's is.
	one := certificate(t, alice, sign(t, outer, leafTemplate(alice.String())), root.pem(), outer)
	if o := handshake(t, one.ClientConfig([]messages.Identity{bob}, Options{}), server.ServerConfig(Options{})); !o.ok() {
		t.Error(o.err())
	}
	two := certificate(t, alice, sign(t, inner, leafTemplate(alice.String())), root.pem(), inner, outer)
	if o := handshake(t, two.ClientConfig([]messages.Identity{bob}, Options{}), server.ServerConfig(Options{})); o.server == nil {
		t.Error("a chain longer than its intermediate allows was accepted")
	}
}

func TestNameConstraintsOfAnchorCount(t *testing.T) {
	root := newRoot(t, "root", func(c *x509.Certificate) {
		c.PermittedURIDomains, c.PermittedDNSDomainsCritical = []string{"mars"}, true
	})
	client := certificate(t, alice, sign(t, root, leafTemplate(alice.String())), root.pem())
	o := handshake(t, client.ClientConfig([]messages.Identity{bob}, Options{}), workload(t, root, bob).ServerConfig(Options{}))
	if o.client == nil {
		t.Fatal("an id outside of the root's name constraints was accepted")
	}
}
