package interop

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/troupe-mesh/troupe/e2e/sandbox"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// requiredEnv=required makes a missing nghttp2 a failure. Debian has it in nghttp2-client and nghttp2-server.
const requiredEnv = "TROUPE_E2E_NGHTTP2"

// tool finds a program of nghttp2, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	return sandbox.Program(t, requiredEnv, "nghttp2-client and nghttp2-server", name)
}

// party is one end's certificate, also as the files that programs take.
type party struct {
	*mtls.Certificate
	certFile, keyFile string
}

func parties(t *testing.T) (client, server party) {
	t.Helper()
	authority, err := mtls.NewAuthority(mtls.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	issue := func(account string) party {
		id := messages.Identity{TrustDomain: "cluster.local", Namespace: "default", ServiceAccount: account}
		request, key, err := mtls.NewCSR(id)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := authority.Issue(request)
		if err != nil {
			t.Fatal(err)
		}
		certificate, err := mtls.ParseChain(id, key, chain)
		if err != nil {
			t.Fatal(err)
		}
		private, err := certificate.PrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		p := party{Certificate: certificate, certFile: filepath.Join(t.TempDir(), "cert.pem"), keyFile: filepath.Join(t.TempDir(), "key.pem")}
		leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Leaf().Raw})
		for file, content := range map[string][]byte{p.certFile: leaf, p.keyFile: private} {
			if err := os.WriteFile(file, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	return issue("client"), issue("server")
}

// TestNghttpSendsThroughOurServer: nghttp sends a megabyte over a stream and gets it back. It can't make a proper CONNECT
// (it always adds :scheme and :path), so the stream is a POST, which our server hands to its caller like any request.
func TestNghttpSendsThroughOurServer(t *testing.T) {
	nghttp := tool(t, "nghttp")
	client, server := parties(t)
	at := serveEcho(t, server)
	upload := make([]byte, 1<<20)
	random := rand.NewChaCha8([32]byte{7})
	_, _ = random.Read(upload)
	file := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(file, upload, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, window := range []string{"16", "22"} {
		cmd := exec.CommandContext(ctx, nghttp, "--no-verify-peer", "--cert="+client.certFile, "--key="+client.keyFile,
			"-w", window, "-W", window, "-d", file, "https://"+at)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		got, err := cmd.Output()
		if err != nil || !bytes.Equal(got, upload) {
			t.Errorf("window 2^%s: got %d bytes back, %v, want the %d that were sent\n%s", window, len(got), err, len(upload), errs.String())
		}
	}
}

// TestNghttpsImproperConnectIsReset: a CONNECT with :scheme and :path is malformed; only its stream ends.
func TestNghttpsImproperConnectIsReset(t *testing.T) {
	nghttp := tool(t, "nghttp")
	client, server := parties(t)
	at := serveEcho(t, server)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got, err := exec.CommandContext(ctx, nghttp, "--no-verify-peer", "--cert="+client.certFile, "--key="+client.keyFile,
		"-v", "-H", ":method: CONNECT", "https://"+at).CombinedOutput()
	if err != nil {
		t.Errorf("nghttp: %v", err)
	}
	if !bytes.Contains(got, []byte("recv RST_STREAM")) || !bytes.Contains(got, []byte("error_code=PROTOCOL_ERROR(0x01)")) {
		t.Errorf("nghttp didn't get RST_STREAM with PROTOCOL_ERROR:\n%s", got)
	}
	if bytes.Contains(got, []byte("recv GOAWAY")) {
		t.Errorf("the whole connection ended:\n%s", got)
	}
}

// serveEcho serves tunnels that answer with their input.
func serveEcho(t *testing.T, own party) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			secure := tls.Server(hbone.Coalesce(raw), own.ServerConfig(mtls.Options{}))
			if err := secure.HandshakeContext(t.Context()); err != nil {
				_ = raw.Close()
				continue
			}
			_ = hbone.NewServer(secure, hbone.ServerDefaults(), func(r *hbone.ServerStream) { go echo(r) }).Serve()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return listener.Addr().String()
}

func echo(r *hbone.ServerStream) {
	stream, err := r.Accept([]hbone.Header{{Name: "baggage", Value: "k8s.namespace.name=default"}})
	if err != nil {
		return
	}
	if _, err := io.Copy(struct{ io.Writer }{stream}, struct{ io.Reader }{stream}); err == nil {
		_ = stream.CloseWrite()
	}
}

// TestOurClientAgainstNghttpd: nghttpd doesn't tunnel and answers no CONNECT, but it reads it, as it was meant, and
// keeps the connection.
func TestOurClientAgainstNghttpd(t *testing.T) {
	nghttpd := tool(t, "nghttpd")
	client, server := parties(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := listener.Addr().String()
	_, port, _ := net.SplitHostPort(at)
	_ = listener.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, nghttpd, "-v", "-a", "127.0.0.1", "-V", "-d", t.TempDir(), port, server.keyFile, server.certFile)
	var seen bytes.Buffer
	cmd.Stdout, cmd.Stderr = &seen, &seen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = cmd.Wait() }()

	secure := tls.Client(hbone.Coalesce(dialUntilUp(ctx, t, at)), client.ClientConfig([]messages.Identity{server.Identity}, mtls.Options{}))
	if err := secure.HandshakeContext(ctx); err != nil {
		t.Fatal(err)
	}
	tunnel, err := hbone.NewClient(secure, hbone.ClientDefaults())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		soon, give := context.WithTimeout(ctx, time.Second)
		_, _, err := tunnel.Open(soon, "10.0.0.1:8080", []hbone.Header{{Name: "forwarded", Value: `for="127.0.0.1:1"`}})
		give()
		if !errors.Is(err, context.DeadlineExceeded) || !tunnel.Usable() {
			t.Fatalf("opening a stream: %v; the connection: %v", err, tunnel.Err())
		}
	}
	tunnel.CloseWhenIdle()
	select {
	case <-tunnel.Done():
	case <-ctx.Done():
		t.Error("the connection doesn't end")
	}
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	for _, want := range []string{":method: CONNECT", ":authority: 10.0.0.1:8080", `forwarded: for="127.0.0.1:1"`, "error_code=CANCEL", "recv GOAWAY"} {
		if !strings.Contains(seen.String(), want) {
			t.Errorf("nghttpd didn't see %q:\n%s", want, seen.String())
		}
	}
	for _, never := range []string{":scheme", ":path", "PROTOCOL_ERROR"} {
		if strings.Contains(seen.String(), never) {
			t.Errorf("nghttpd saw %q:\n%s", never, seen.String())
		}
	}
}

// dialUntilUp dials until somebody listens.
func dialUntilUp(ctx context.Context, t *testing.T, at string) net.Conn {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", at)
		if err == nil {
			return conn
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("nobody listens on %s: %v", at, err)
		}
	}
}
