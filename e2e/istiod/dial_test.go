package istiod

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/troupe-mesh/troupe/transport/grpcdial"
	"github.com/troupe-mesh/troupe/transport/wire/discovery"
)

const patience = 20 * time.Second

func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// call opens a stream, asks for the policies and waits for the answer.
func call(t *testing.T, c grpcdial.Config) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := grpcdial.Dial(c)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return err
	}
	// What became of the stream shows when it is read.
	_ = stream.Send(&discovery.DeltaDiscoveryRequest{Node: &discovery.Node{Id: "ztunnel~1.1.1.1~a.b~c"}, TypeUrl: AuthorizationType})
	_, err = stream.Recv()
	return err
}

// A server is known by its roots and its name, or its alternative name, or its address.
func TestDialVerifiesTheServer(t *testing.T) {
	other, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	named := start(t, Options{Names: []string{"istiod.test"}})
	numbered := start(t, Options{})
	for name, test := range map[string]struct {
		server *Server
		config grpcdial.Config
		wrong  string
	}{
		"by address":        {numbered, grpcdial.Config{}, ""},
		"wrong name":        {named, grpcdial.Config{}, "cannot validate certificate for 127.0.0.1"},
		"alternative name":  {named, grpcdial.Config{AltHostname: "istiod.test"}, ""},
		"wrong alternative": {named, grpcdial.Config{AltHostname: "other.test"}, "cannot validate certificate for 127.0.0.1"},
		"name or alternative": {
			numbered, grpcdial.Config{AltHostname: "istiod.test"}, "",
		},
		"wrong root": {numbered, grpcdial.Config{Roots: grpcdial.Roots{PEM: other.PEM()}}, "signed by unknown authority"},
		"the system": {numbered, grpcdial.Config{Roots: grpcdial.Roots{System: true}}, "signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			c := test.config
			c.Address = test.server.URL()
			if c.Roots == (grpcdial.Roots{}) {
				c.Roots.PEM = test.server.Roots()
			}
			err := call(t, c)
			switch {
			case test.wrong == "" && err != nil:
				t.Error(err)
			case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)):
				t.Errorf("error %v, want %q", err, test.wrong)
			case test.wrong != "" && status.Code(err) != codes.Unavailable:
				t.Errorf("code %v", status.Code(err))
			}
		})
	}
}

// A root that was rotated counts from the next connection on.
func TestDialReadsTheRootsAnew(t *testing.T) {
	s := start(t, Options{})
	file := filepath.Join(t.TempDir(), "root.pem")
	c := grpcdial.Config{Address: s.URL(), Roots: grpcdial.Roots{File: file}}
	if err := call(t, c); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("without the file: %v", err)
	}
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(s.Roots())
	if err := call(t, c); err != nil {
		t.Error(err)
	}
	next, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Present(next); err != nil {
		t.Fatal(err)
	}
	if err := call(t, c); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("with the old root: %v", err)
	}
	write(next.PEM())
	if err := call(t, c); err != nil {
		t.Error(err)
	}
}

// The token is read for each call, and istiod's headers win over extra ones.
func TestDialSendsHeaders(t *testing.T) {
	s := start(t, Options{Token: "second"})
	var seen metadata.MD
	s.Follow(Script{Open: func(ctx context.Context, _ *Stream) error {
		seen, _ = metadata.FromIncomingContext(ctx)
		return nil
	}})
	file := filepath.Join(t.TempDir(), "token")
	c := grpcdial.Config{
		Address: s.URL(), Roots: grpcdial.Roots{PEM: s.Roots()}, ClusterID: "here", Token: grpcdial.Token{File: file},
		Headers: []grpcdial.Header{{Key: "x_extra", Value: "1"}, {Key: "clusterid", Value: "elsewhere"}},
	}
	if err := call(t, c); status.Code(err) != codes.Unauthenticated || !strings.Contains(err.Error(), file) {
		t.Errorf("without the file: %v", err)
	}
	for token, want := range map[string]codes.Code{"first\n": codes.Unauthenticated, "second\n": codes.OK} {
		if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := call(t, c); status.Code(err) != want {
			t.Errorf("token %q: %v", token, err)
		}
	}
	for key, want := range map[string]string{"x_extra": "1", "clusterid": "here", "authorization": "Bearer second"} {
		if got := seen.Get(key); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
}

// A server that takes the connection and then says nothing is given up.
func TestDialDoesNotWaitForASilentServer(t *testing.T) {
	s := start(t, Options{})
	s.Stall(true)
	began := time.Now()
	err := call(t, grpcdial.Config{Address: s.URL(), Roots: grpcdial.Roots{PEM: s.Roots()}, Handshake: time.Second / 4})
	if status.Code(err) != codes.Unavailable || time.Since(began) > patience-time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}
