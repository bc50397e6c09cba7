package v1_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-mesh/troupe/e2e/bench/v1"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

func TestMain(m *testing.M) {
	// The pooled connection lives as long as the process: v1 is frozen, and never needed an end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"),
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*serverConn).serve"),
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*serverConn).readFrames"))
}

func configs(t *testing.T) (client, server *tls.Config) {
	t.Helper()
	authority, err := mtls.NewAuthority(mtls.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	issue := func(account string) (messages.Identity, *mtls.Certificate) {
		id := messages.Identity{TrustDomain: "cluster.local", Namespace: "default", ServiceAccount: account}
		request, key, err := mtls.NewCSR(id)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := authority.Issue(request)
		if err != nil {
			t.Fatal(err)
		}
		c, err := mtls.ParseChain(id, key, chain)
		if err != nil {
			t.Fatal(err)
		}
		return id, c
	}
	_, c := issue("client")
	id, s := issue("server")
	return c.ClientConfig([]messages.Identity{id}, mtls.Options{}), s.ServerConfig(mtls.Options{})
}

func listen(t *testing.T, serve func(net.Listener) error) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = serve(listener) }()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return listener.Addr().String()
}

// TestCarriesBytesBothWays sends a megabyte through both proxies to an echo and wants it back, and the end after it.
func TestCarriesBytesBothWays(t *testing.T) {
	clientTLS, serverTLS := configs(t)
	app := listen(t, func(l net.Listener) error {
		for {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = io.Copy(conn, conn)
			}()
		}
	})
	server := listen(t, (&v1.Server{TLS: serverTLS}).Serve)
	client := listen(t, (&v1.Client{
		Entry: func(net.Conn) (string, error) { return app, nil },
		Peer:  func(string) string { return server }, TLS: clientTLS,
	}).Serve)
	for range 3 {
		conn, err := net.Dial("tcp", client)
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		sent := make([]byte, 1<<20)
		random := rand.NewChaCha8([32]byte{1})
		_, _ = random.Read(sent)
		go func() {
			_, _ = conn.Write(sent)
			_ = conn.(*net.TCPConn).CloseWrite()
		}()
		got, err := io.ReadAll(conn)
		if err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("got %d bytes, %v, want the %d that were sent", len(got), err, len(sent))
		}
		_ = conn.Close()
	}
}
