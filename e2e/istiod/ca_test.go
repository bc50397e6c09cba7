package istiod

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/ca"
	"github.com/troupe-mesh/troupe/transport/grpcdial"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

var alice = messages.Identity{TrustDomain: "cluster.local", Namespace: "shop", ServiceAccount: "alice"}

// signing is a CA, its server and a client of it.
type signing struct {
	*testing.T
	ca     *CA
	server *Server
	client *ca.Client
	warned atomic.Int64
}

// newSigning has edit change the CA, the server and what the client knows.
func newSigning(t *testing.T, edit func(*CA, *Options, *ca.Config)) *signing {
	t.Helper()
	authority, err := NewCA()
	if err != nil {
		t.Fatal(err)
	}
	s := &signing{T: t, ca: authority}
	o, c := Options{Register: []func(grpc.ServiceRegistrar){authority.Register}}, ca.Config{TTL: time.Hour, Impersonate: true}
	c.Warn = func(error) { s.warned.Add(1) }
	if o.Authority, err = NewAuthority(); err != nil {
		t.Fatal(err)
	}
	c.Server.Roots.PEM = o.Authority.PEM()
	if edit != nil {
		edit(authority, &o, &c)
	}
	s.server = start(t, o)
	c.Server.Address = s.server.URL()
	if s.client, err = ca.New(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	return s
}

// sign asks for a certificate and makes one of the answer.
func (s *signing) sign(id messages.Identity) (*mtls.Certificate, error) {
	s.Helper()
	csr, key, err := mtls.NewCSR(id)
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.Context(), patience)
	defer cancel()
	chain, err := s.client.Sign(ctx, csr, id)
	if err != nil {
		return nil, err
	}
	return mtls.ParseChain(id, key, chain)
}

func (s *signing) mustSign(id messages.Identity) *mtls.Certificate {
	s.Helper()
	c, err := s.sign(id)
	if err != nil {
		s.Fatal(err)
	}
	return c
}

// TestCertificateRequestAsIstiodSeesIt is what is on the wire: the request, its metadata and headers.
func TestCertificateRequestAsIstiodSeesIt(t *testing.T) {
	for name, shared := range map[string]bool{"shared": true, "dedicated": false} {
		t.Run(name, func(t *testing.T) {
			s := newSigning(t, func(_ *CA, o *Options, c *ca.Config) {
				c.Impersonate, c.TTL = shared, 90*time.Minute
				o.Token, c.Server.Token.Static, c.Server.ClusterID = "t0ken", "t0ken", "east"
				c.Server.Headers = []grpcdial.Header{{Key: "x-extra", Value: "1"}, {Key: "authorization", Value: "loses"}}
			})
			c := s.mustSign(alice)
			call := s.ca.Calls()[0]
			if shared {
				if err := c.CheckIdentity(); err != nil || call.For != alice || !call.Impersonated {
					t.Errorf("%v; asked for %v", err, call.For)
				}
			} else if call.Impersonated || call.Request.Metadata != nil || call.For != s.ca.Caller {
				t.Errorf("asked on behalf of %v with metadata %v", call.For, call.Request.Metadata)
			}
			if call.Request.ValidityDuration != 5400 {
				t.Errorf("validity %d s", call.Request.ValidityDuration)
			}
			if len(call.Parsed.Subject.Names) != 0 || len(call.Parsed.Extensions) != 1 || !call.Parsed.Extensions[0].Critical ||
				len(call.Parsed.URIs) != 1 || call.Parsed.URIs[0].String() != alice.String() ||
				call.Parsed.SignatureAlgorithm != x509.ECDSAWithSHA256 {
				t.Errorf("the certificate request has subject %v, extensions %v", call.Parsed.Subject, call.Parsed.Extensions)
			}
			for header, want := range map[string]string{"authorization": "Bearer t0ken", "clusterid": "east", "x-extra": "1"} {
				if got := call.Headers.Get(header); len(got) != 1 || got[0] != want {
					t.Errorf("header %s: %q", header, got)
				}
			}
		})
	}
}

func TestChainOfIntermediatesAndRoots(t *testing.T) {
	s := newSigning(t, nil)
	root := s.ca.Signer()
	middle := issuer(t, "middle", root)
	s.ca.SignBy(issuer(t, "lower", middle))
	s.ca.Trust(root, issuer(t, "next root", nil))
	c := s.mustSign(alice)
	if len(c.Chain()) != 3 || len(c.Roots()) != 2 {
		t.Errorf("%d in the chain, %d roots: want 3 and 2", len(c.Chain()), len(c.Roots()))
	}
}

func issuer(t *testing.T, name string, parent *Issuer) *Issuer {
	t.Helper()
	i, err := NewIssuer(name, parent)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// TestAnswersThatAreRefused: what a CA may say, and must not be able to do.
func TestAnswersThatAreRefused(t *testing.T) {
	bob := messages.Identity{TrustDomain: "cluster.local", Namespace: "shop", ServiceAccount: "bob"}
	for name, test := range map[string]struct {
		change func(s Signing, chain []string) []string
		refuse error
		want   string
	}{
		"no element":    {change: func(Signing, []string) []string { return nil }, want: "chain returned from CA is empty for: " + alice.String()},
		"no root":       {change: func(_ Signing, c []string) []string { return c[:1] }, want: "has no root"},
		"many elements": {change: func(_ Signing, c []string) []string { return append(make([]string, 1000), c...) }, want: "at most 16"},
		"many roots": {
			change: func(_ Signing, c []string) []string { return []string{c[0], strings.Repeat(c[1], 200)} }, want: "more than 128 roots",
		},
		"huge": {
			change: func(_ Signing, c []string) []string { return []string{c[0], strings.Repeat(c[1], 4000)} }, want: "ResourceExhausted",
		},
		"not PEM":         {change: func(_ Signing, c []string) []string { return []string{"hello", c[1]} }, want: "no PEM block"},
		"a key":           {change: func(_ Signing, c []string) []string { return []string{c[0], pemOf("PRIVATE KEY", "x")} }, want: "want CERTIFICATE"},
		"broken root":     {change: func(_ Signing, c []string) []string { return []string{c[0], c[1] + pemOf("CERTIFICATE", "x")} }, want: "parsing certificate"},
		"somebody else's": {change: func(_ Signing, c []string) []string { return []string{c[1], c[1]} }, want: "not for our private key"},
		"out of order":    {change: func(_ Signing, c []string) []string { return []string{c[1], c[0], c[1]} }, want: "not for our private key"},
		"roots first":     {change: func(_ Signing, c []string) []string { return []string{c[1], c[0]} }, want: "not for our private key"},
		"of another key":  {change: signedForAnotherKey(t), want: "not for our private key"},
		"ten MB": {
			change: func(_ Signing, c []string) []string { return []string{c[0], strings.Repeat(" ", 10<<20) + c[1]} }, want: "ResourceExhausted",
		},
		"in many words":   {refuse: status.Error(codes.PermissionDenied, strings.Repeat("x", 5000)), want: "xxxx…"},
		"for bob":         {change: signedFor(t, bob), want: "did not find expected SAN: " + alice.String()},
		"unauthenticated": {refuse: status.Error(codes.Unauthenticated, "request authenticate failure"), want: "signing gRPC error (Unauthenticated): request authenticate failure"},
		"in bad words":    {refuse: status.Error(codes.Code(99), strings.Repeat("x", 10)), want: "signing gRPC error (Code(99)): xxxx"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSigning(t, func(c *CA, _ *Options, _ *ca.Config) {
				c.Change = test.change
				c.Refuse = func(context.Context, Signing) error { return test.refuse }
			})
			c, err := s.sign(alice)
			if err == nil {
				err = c.CheckIdentity()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 2000 {
				t.Errorf("error %.2000v: want %q", err, test.want)
			}
		})
	}
}

func pemOf(kind, content string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte(content)}))
}

// signedFor answers with a certificate for somebody else, by the same root.
func signedFor(t *testing.T, id messages.Identity) func(Signing, []string) []string {
	root := issuer(t, "impostor", nil)
	return func(s Signing, _ []string) []string {
		leaf, err := root.Leaf(s.Parsed.PublicKey, id, time.Minute, time.Hour)
		if err != nil {
			return nil
		}
		return []string{leaf, root.PEM()}
	}
}

// signedForAnotherKey answers with alice's certificate for a key that is not hers.
func signedForAnotherKey(t *testing.T) func(Signing, []string) []string {
	root := issuer(t, "careless", nil)
	return func(s Signing, _ []string) []string {
		leaf, err := root.Leaf(root.certificate.PublicKey, s.For, time.Minute, time.Hour)
		if err != nil {
			return nil
		}
		return []string{leaf, root.PEM()}
	}
}

// TestEveryCallReadsTheToken: a token that is renewed counts at once, one that is missing is named.
func TestEveryCallReadsTheToken(t *testing.T) {
	token := filepath.Join(t.TempDir(), "istio-token")
	s := newSigning(t, func(_ *CA, o *Options, c *ca.Config) { o.Token, c.Server.Token.File = "one", token })
	if _, err := s.sign(alice); err == nil || !strings.Contains(err.Error(), token) {
		t.Errorf("without a token: %v: want its file to be named", err)
	}
	put(t, token, "one\n")
	s.mustSign(alice)
	s.server.Expect("two")
	if _, err := s.sign(alice); status.Code(errors.Unwrap(err)) != codes.Unauthenticated {
		t.Errorf("with an old token: %v", err)
	}
	put(t, token, " two ")
	s.mustSign(alice)
	if n := s.server.Connections(); n != 1 {
		t.Errorf("%d connections: a token is no reason for another", n)
	}
}

// put replaces a file in one step, as the kubelet does: nobody reads half of it.
func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestRootsAreReadAnew is the rotation of the CA's own root, on disk (spec/control.md §5.4).
func TestRootsAreReadAnew(t *testing.T) {
	roots := filepath.Join(t.TempDir(), "root-cert.pem")
	first, second := authority(t), authority(t)
	s := newSigning(t, func(_ *CA, o *Options, c *ca.Config) {
		o.Authority, c.Server.Roots = first, grpcdial.Roots{File: roots}
	})
	if _, err := s.sign(alice); err == nil || !strings.Contains(err.Error(), roots) {
		t.Errorf("without roots: %v: want the file to be named", err)
	}
	put(t, roots, first.PEM())
	s.mustSign(alice)
	if err := s.server.Present(second); err != nil {
		t.Fatal(err)
	}
	s.mustSign(alice) // on the connection that there is
	s.server.Cut()
	eventually(t, "the connection is found to be broken", func() bool { _, err := s.sign(alice); return err != nil })
	put(t, roots, second.PEM())
	s.mustSign(alice)
	before := s.server.Connections()
	put(t, roots, second.PEM()+first.PEM())
	s.mustSign(alice)
	if s.server.Connections() != before+1 {
		t.Error("new roots did not make a new connection")
	}
	for _, broken := range []string{"", "no certificate"} {
		put(t, roots, broken)
		s.mustSign(alice) // by the connection that there is
	}
	if err := os.Remove(roots); err != nil {
		t.Fatal(err)
	}
	s.mustSign(alice)
	if s.warned.Load() < 3 {
		t.Errorf("warned %d times: want 3", s.warned.Load())
	}
}

func authority(t *testing.T) *Authority {
	t.Helper()
	a, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v", what, patience)
		}
	}
}

// TestRootsThatCannotBeRead fail the start, unless they are not there yet.
func TestRootsThatCannotBeRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "root-cert.pem")
	c := ca.Config{Server: grpcdial.Config{Address: "https://127.0.0.1:1", Roots: grpcdial.Roots{File: file}}}
	client, err := ca.New(c)
	if err != nil {
		t.Fatalf("roots that may come: %v", err)
	}
	client.Close()
	if _, err := client.Sign(t.Context(), nil, alice); err == nil {
		t.Error("a closed client signs")
	}
	put(t, file, "not PEM")
	if _, err := ca.New(c); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("roots that are none: %v", err)
	}
	c.Server.Address = "http://127.0.0.1:1"
	if _, err := ca.New(c); err == nil || !strings.Contains(err.Error(), "https://") {
		t.Errorf("an http address: %v", err)
	}
}

// TestTheCAComesBack: a CA that was away is asked again at the next call, on a new connection.
func TestTheCAComesBack(t *testing.T) {
	s := newSigning(t, nil)
	s.mustSign(alice)
	s.server.Stop()
	for range 3 {
		if _, err := s.sign(alice); status.Code(errors.Unwrap(err)) != codes.Unavailable {
			t.Fatalf("while it is away: %v", err)
		}
	}
	if err := s.server.Restart(); err != nil {
		t.Fatal(err)
	}
	s.mustSign(alice) // gRPC itself would still wait
}

// TestASilentCAEndsAtTheDeadline: one that takes the request and says nothing, and one whose connection is half-open.
func TestASilentCAEndsAtTheDeadline(t *testing.T) {
	var silent atomic.Bool
	s := newSigning(t, func(c *CA, _ *Options, _ *ca.Config) {
		c.Refuse = func(ctx context.Context, _ Signing) error {
			if silent.Load() {
				<-ctx.Done()
			}
			return nil
		}
	})
	s.mustSign(alice)
	fails := func(what string) {
		t.Helper()
		csr, _, err := mtls.NewCSR(alice)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		if _, err := s.client.Sign(ctx, csr, alice); status.Code(errors.Unwrap(err)) != codes.DeadlineExceeded {
			t.Errorf("%s: %v", what, err)
		}
	}
	silent.Store(true)
	fails("silent")
	silent.Store(false)
	s.mustSign(alice)
	s.server.Stall(true)
	fails("half-open")
	s.server.Stall(false)
	s.mustSign(alice)
}

// TestManyCallsShareOneConnection, also while the roots change under them.
func TestManyCallsShareOneConnection(t *testing.T) {
	roots := filepath.Join(t.TempDir(), "root-cert.pem")
	s := newSigning(t, func(_ *CA, o *Options, c *ca.Config) {
		c.Server.Roots = grpcdial.Roots{File: roots}
		put(t, roots, o.Authority.PEM())
	})
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if _, err := s.sign(alice); err != nil {
				t.Error(err)
			}
		})
	}
	put(t, roots, s.server.Roots()+"\n")
	all.Wait()
	if n := s.server.Connections(); n > 2 {
		t.Errorf("%d connections", n)
	}
}
