package mtls

import (
	"crypto/tls"
	"slices"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func TestVersionsAndGroups(t *testing.T) {
	root := newRoot(t, "root", nil)
	alices, bobs := workload(t, root, alice), workload(t, root, bob)
	groups := func(g ...tls.CurveID) func(*tls.Config) {
		return func(c *tls.Config) { c.CurvePreferences = g }
	}
	plain := func(c *tls.Config) {}
	only12 := func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 }
	tests := []struct {
		name           string
		client, server Options
		clientEdit     func(*tls.Config)
		serverEdit     func(*tls.Config)
		version        uint16 // zero: no handshake
		group          tls.CurveID
	}{
		{"default", Options{}, Options{}, plain, plain, tls.VersionTLS13, tls.X25519},
		{"1.2 on both sides still means 1.3", Options{TLS12: true}, Options{TLS12: true}, plain, plain, tls.VersionTLS13, tls.X25519},
		{"1.2 client refused", Options{TLS12: true}, Options{}, only12, plain, 0, 0},
		{"1.2 server refused", Options{}, Options{TLS12: true}, plain, only12, 0, 0},
		{"1.2 client served where allowed", Options{TLS12: true}, Options{TLS12: true}, only12, plain, tls.VersionTLS12, tls.X25519},
		{"1.2 server reached where allowed", Options{TLS12: true}, Options{TLS12: true}, plain, only12, tls.VersionTLS12, tls.X25519},
		{"P-256 client", Options{}, Options{}, groups(tls.CurveP256), plain, tls.VersionTLS13, tls.CurveP256},
		{"P-256 server", Options{}, Options{}, plain, groups(tls.CurveP256), tls.VersionTLS13, tls.CurveP256},
		{"P-384 client", Options{}, Options{}, groups(tls.CurveP384), plain, tls.VersionTLS13, tls.CurveP384},
		{"P-521 client", Options{}, Options{}, groups(tls.CurveP521), plain, 0, 0},
		{"post-quantum both", Options{PQC: true}, Options{PQC: true}, plain, plain, tls.VersionTLS13, tls.X25519MLKEM768},
		{"post-quantum client, default server", Options{PQC: true}, Options{}, plain, plain, tls.VersionTLS13, tls.X25519MLKEM768},
		{"default client, post-quantum server", Options{}, Options{PQC: true}, plain, plain, tls.VersionTLS13, tls.X25519MLKEM768},
		{"classical client, post-quantum server", Options{}, Options{PQC: true}, groups(tls.X25519, tls.CurveP256), plain, 0, 0},
		{"1.2 client, post-quantum server", Options{TLS12: true}, Options{TLS12: true, PQC: true}, only12, plain, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			client := alices.ClientConfig([]messages.Identity{bob}, tt.client)
			server := bobs.ServerConfig(tt.server).Clone()
			tt.clientEdit(client)
			tt.serverEdit(server)
			o := handshake(t, client, server)
			if tt.version == 0 {
				if o.ok() || o.server == nil {
					t.Fatalf("accepted with %s", tls.VersionName(o.serverState.Version))
				}
				return
			}
			if !o.ok() {
				t.Fatal(o.err())
			}
			if o.serverState.Version != tt.version || o.serverState.CurveID != tt.group {
				t.Fatalf("got %s with %s: want %s with %s", tls.VersionName(o.serverState.Version), o.serverState.CurveID,
					tls.VersionName(tt.version), tt.group)
			}
			if o.serverState.HelloRetryRequest && tt.name == "default" {
				t.Error("an ordinary handshake took another round trip")
			}
		})
	}
}

func TestSuitesOfTLS12(t *testing.T) {
	root := newRoot(t, "root", nil)
	o := Options{TLS12: true}
	server := workload(t, root, bob).ServerConfig(o)
	for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
			continue
		}
		client := workload(t, root, alice).ClientConfig([]messages.Identity{bob}, o)
		client.MaxVersion = tls.VersionTLS12
		client.CipherSuites = []uint16{suite.ID}
		want := suite.Name == "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" || suite.Name == "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
		if out := handshake(t, client, server); out.ok() != want {
			t.Errorf("%s: served %v, %v: want %v", suite.Name, out.ok(), out.err(), want)
		}
	}
}

func TestBaseSwitches(t *testing.T) {
	for _, o := range []Options{{}, {TLS12: true}, {PQC: true}} {
		c := o.base(groupsAll)
		if !c.DynamicRecordSizingDisabled || !c.SessionTicketsDisabled || c.MaxVersion != tls.VersionTLS13 {
			t.Errorf("%+v: record sizing %v, tickets %v, max version %x", o, c.DynamicRecordSizingDisabled, c.SessionTicketsDisabled, c.MaxVersion)
		}
		if (c.MinVersion == tls.VersionTLS12) != o.TLS12 {
			t.Errorf("%+v: min version %x", o, c.MinVersion)
		}
	}
}
