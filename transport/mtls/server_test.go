package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

func TestServerVerifiesItsClient(t *testing.T) {
	ours, theirs := newRoot(t, "ours", nil), newRoot(t, "theirs", nil)
	server := workload(t, ours, bob)
	with := func(root *issuer, edit func(*x509.Certificate), uris ...string) *Certificate {
		template := leafTemplate(uris...)
		if edit != nil {
			edit(template)
		}
		return certificate(t, alice, sign(t, root, template), ours.pem())
	}
	usage := func(u ...x509.ExtKeyUsage) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.ExtKeyUsage = u }
	}
	tests := []struct {
		name   string
		client *Certificate
		want   string // part of the server's error; empty means accepted as alice
	}{
		{"own trust domain", with(ours, nil, alice.String()), ""},
		{
			"another trust domain", with(ours, nil, mars.String()),
			"invalid peer certificate: identity verification error: peer did not present the expected trustdomain (cluster.local), " +
				"got spiffe://mars/ns/default/sa/bob",
		},
		{"no SAN", with(ours, nil), "expected trustdomain (cluster.local), got "},
		{"no SPIFFE SAN", with(ours, nil, "https://alice.example"), "expected trustdomain (cluster.local), got "},
		{"another SAN before the SPIFFE one", with(ours, nil, "https://alice.example", alice.String()), ""},
		{
			"the id used is foreign, a later one is ours", with(ours, nil, mars.String(), alice.String()),
			"got spiffe://mars/ns/default/sa/bob,spiffe://cluster.local/ns/default/sa/alice",
		},
		{"the id used is ours, a later one is foreign", with(ours, nil, alice.String(), mars.String()), ""},
		{
			"upper-case scheme is no SPIFFE id", with(ours, nil, strings.Replace(alice.String(), "spiffe", "SPIFFE", 1)),
			"expected trustdomain (cluster.local), got ",
		},
		{"foreign root", with(theirs, nil, alice.String()), "unknown authority"},
		{
			"expired", with(ours, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, alice.String()),
			"certificate has expired or is not yet valid",
		},
		{
			"not valid yet", with(ours, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, alice.String()),
			"certificate has expired or is not yet valid",
		},
		{"no extended key usage", with(ours, usage(), alice.String()), ""},
		{"any usage", with(ours, usage(x509.ExtKeyUsageAny), alice.String()), ""},
		{"server only", with(ours, usage(x509.ExtKeyUsageServerAuth), alice.String()), "incompatible key usage"},
		{"another usage", with(ours, usage(x509.ExtKeyUsageCodeSigning), alice.String()), "incompatible key usage"},
		{
			"a CA as a workload", with(ours, func(c *x509.Certificate) { c.IsCA = true }, alice.String()),
			"a CA certificate was presented as a workload's",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := handshake(t, tt.client.ClientConfig([]messages.Identity{bob}, Options{}), server.ServerConfig(Options{}))
			if tt.want == "" {
				if id, _ := PeerIdentity(o.serverState); !o.ok() || id != alice {
					t.Fatalf("want alice accepted, got %v, %v", id, o.err())
				}
				return
			}
			if o.server == nil || !strings.Contains(o.server.Error(), tt.want) {
				t.Fatalf("server's error %v: want %q", o.server, tt.want)
			}
			if e := (*PeerError)(nil); !errors.As(o.server, &e) {
				t.Fatalf("server's error is a %T: want a *PeerError", o.server)
			}
			if o.client == nil {
				t.Fatal("the client was not told")
			}
		})
	}
}

func TestServerWantsACertificate(t *testing.T) {
	root := newRoot(t, "root", nil)
	server := workload(t, root, bob)
	client := workload(t, root, alice).ClientConfig([]messages.Identity{bob}, Options{})
	client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return new(tls.Certificate), nil
	}
	if o := handshake(t, client, server.ServerConfig(Options{})); o.server == nil {
		t.Fatal("a client without a certificate was accepted")
	}
}

func TestServerNamesItsRoots(t *testing.T) {
	root := newRoot(t, "root", nil)
	client := workload(t, root, alice).ClientConfig([]messages.Identity{bob}, Options{})
	present := client.GetClientCertificate
	var named [][]byte
	client.GetClientCertificate = func(i *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		named = i.AcceptableCAs
		return present(i)
	}
	if o := handshake(t, client, workload(t, root, bob).ServerConfig(Options{})); !o.ok() {
		t.Fatal(o.err())
	}
	if len(named) != 1 || string(named[0]) != string(root.cert.RawSubject) {
		t.Fatalf("server names %d roots: want its own", len(named))
	}
}

func TestServerALPN(t *testing.T) {
	root := newRoot(t, "root", nil)
	server := workload(t, root, bob).ServerConfig(Options{})
	tests := []struct {
		offered []string
		want    string // what is agreed
		refused bool
	}{
		{[]string{"h2"}, "h2", false},
		{[]string{"http/1.1", "h2"}, "h2", false},
		{nil, "", false},
		{[]string{"http/1.1"}, "", true},
		{[]string{"h3", "grpc"}, "", true},
		{[]string{refusedALPN + "x"}, "", true},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.offered, ","), func(t *testing.T) {
			client := workload(t, root, alice).ClientConfig([]messages.Identity{bob}, Options{})
			client.NextProtos = tt.offered
			o := handshake(t, client, server)
			if tt.refused {
				if o.client == nil || !strings.Contains(o.client.Error(), "no application protocol") {
					t.Fatalf("client's error %v: want the alert no_application_protocol", o.client)
				}
				return
			}
			if !o.ok() || o.clientState.NegotiatedProtocol != tt.want {
				t.Fatalf("agreed on %q, %v: want %q", o.clientState.NegotiatedProtocol, o.err(), tt.want)
			}
		})
	}
}

func TestNothingResumes(t *testing.T) {
	root := newRoot(t, "root", nil)
	for _, o := range []Options{{}, {TLS12: true}} {
		server := workload(t, root, bob).ServerConfig(o)
		client := workload(t, root, alice).ClientConfig([]messages.Identity{bob}, o)
		client.ClientSessionCache = tls.NewLRUClientSessionCache(4) // an eager peer
		client.SessionTicketsDisabled = false
		client.ServerName = "bob"
		if o.TLS12 {
			client.MaxVersion = tls.VersionTLS12
		}
		for range 2 {
			if out := handshake(t, client, server); !out.ok() || out.serverState.DidResume {
				t.Fatalf("resumed %v, %v", out.serverState.DidResume, out.err())
			}
		}
	}
}

func TestChecksRunOnResumption(t *testing.T) {
	root := newRoot(t, "root", nil)
	server := workload(t, root, bob).ServerConfig(Options{}).Clone()
	server.SessionTicketsDisabled = false
	checks := 0
	verify := server.VerifyConnection
	server.GetConfigForClient = nil
	server.VerifyConnection = func(cs tls.ConnectionState) error {
		checks++
		return verify(cs)
	}
	client := workload(t, root, alice).ClientConfig([]messages.Identity{bob}, Options{})
	client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	client.SessionTicketsDisabled = false
	client.ServerName = "bob"
	resumed := false
	for range 2 {
		out := handshake(t, client, server)
		if !out.ok() {
			t.Fatal(out.err())
		}
		resumed = out.serverState.DidResume
	}
	if !resumed || checks != 2 {
		t.Fatalf("resumed %v with %d checks: want a resumption and 2 checks", resumed, checks)
	}
}

func TestServerConfigIsKept(t *testing.T) {
	server := workload(t, newRoot(t, "root", nil), bob)
	seen := map[*tls.Config]bool{}
	for _, o := range []Options{{}, {TLS12: true}, {PQC: true}, {TLS12: true, PQC: true}} {
		first := server.ServerConfig(o)
		if server.ServerConfig(o) != first {
			t.Errorf("%+v: made anew", o)
		}
		seen[first] = true
	}
	if len(seen) != 4 {
		t.Errorf("%d different configurations: want 4", len(seen))
	}
	if n := testing.AllocsPerRun(100, func() { server.ServerConfig(Options{}) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
