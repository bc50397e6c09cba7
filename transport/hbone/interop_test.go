//nolint:staticcheck // x/net's own HTTP/2 is what some peers are built on
package hbone

import (
	"bytes"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"testing"

	"golang.org/x/net/http2"
)

// payload is random and the same for each n.
func payload(n int) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(p) // never fails
	return p
}

// stockEcho is a CONNECT handler for Go's HTTP/2 servers.
func stockEcho(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect || r.Host != "10.0.0.2:80" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if r.Header.Get("baggage") == "deny" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	w.Header().Set("baggage", "k8s.namespace.name=b")
	w.WriteHeader(http.StatusOK)
	flush := http.NewResponseController(w)
	_ = flush.Flush()
	p := make([]byte, 64<<10)
	for {
		n, err := r.Body.Read(p)
		if n > 0 {
			_, _ = w.Write(p[:n])
			_ = flush.Flush()
		}
		if err != nil {
			return
		}
	}
}

var stockServers = []struct {
	name  string
	serve func(t *testing.T, c net.Conn) // serves until the connection ends; takes a raw connection
}{
	{"x/net stock", func(t *testing.T, c net.Conn) { stockServe(t, c, &http2.Server{}) }},
	{"x/net 1 MiB frames", func(t *testing.T, c net.Conn) {
		stockServe(t, c, &http2.Server{MaxReadFrameSize: 1 << 20, MaxUploadBufferPerStream: 4 << 20, MaxUploadBufferPerConnection: 16 << 20})
	}},
	{"Envoy's windows and streams", func(t *testing.T, c net.Conn) { // 256 MiB and 2^31-1, its defaults
		stockServe(t, c, &http2.Server{
			MaxConcurrentStreams: 1<<31 - 1, MaxUploadBufferPerStream: 1 << 28, MaxUploadBufferPerConnection: 1 << 28,
		})
	}},
	{"net/http", func(t *testing.T, c net.Conn) {
		l := &oneListener{conn: c, closed: make(chan struct{})}
		s := &http.Server{Handler: http.HandlerFunc(stockEcho), TLSConfig: serverTLS()} //nolint:gosec // no slow peers in this test
		go func() { _ = s.ServeTLS(l, "", "") }()
		t.Cleanup(func() { _ = s.Close() })
	}},
}

func stockServe(t *testing.T, c net.Conn, s *http2.Server) {
	server := tls.Server(c, serverTLS())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if server.HandshakeContext(t.Context()) != nil {
			return
		}
		s.ServeConn(server, &http2.ServeConnOpts{Handler: http.HandlerFunc(stockEcho), BaseConfig: &http.Server{}}) //nolint:gosec // as above
	}()
	t.Cleanup(func() { _ = c.Close(); <-done })
}

// oneListener accepts one connection.
type oneListener struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneListener) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}
func (l *oneListener) Close() error   { close(l.closed); return nil }
func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }

func TestClientAgainstStockServers(t *testing.T) {
	for _, stock := range stockServers {
		t.Run(stock.name, func(t *testing.T) {
			a, b := connect(t, kernel())
			stock.serve(t, b)
			secured := tls.Client(Coalesce(a), clientTLS())
			if err := secured.HandshakeContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			c, err := NewClient(secured, Settings{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { c.Abort(nil); <-c.Done() }()
			if _, r, err := c.Open(t.Context(), "10.0.0.2:80", []Header{{"baggage", "deny"}}); err != nil || r.Status != 401 {
				t.Fatal(r, err)
			}
			for range 3 {
				s, r, err := c.Open(t.Context(), "10.0.0.2:80", []Header{{"baggage", "a=b"}, {"traceparent", "00-1-2-00"}})
				if err != nil || r.Status != 200 {
					t.Fatal(r, err)
				}
				if v, ok := r.Get("baggage"); !ok || v != "k8s.namespace.name=b" {
					t.Error(r.Headers)
				}
				exchange(t, s, 2<<20)
			}
			if n := c.ActiveStreams(); n != 0 {
				t.Errorf("%d streams are left", n)
			}
		})
	}
}

// exchange sends n bytes to an echo and wants them back.
func exchange(t *testing.T, s io.ReadWriteCloser, n int) {
	t.Helper()
	sent := payload(n)
	wrote := make(chan error, 1)
	go func() {
		_, err := s.Write(sent)
		if c, ok := s.(interface{ CloseWrite() error }); ok && err == nil {
			err = c.CloseWrite()
		}
		wrote <- err
	}()
	got := make([]byte, n)
	if _, err := io.ReadFull(s, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("the bytes did not come back: %v", err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if k, err := s.Read(got[:1]); k != 0 || err != io.EOF { //nolint:errorlint // exactly io.EOF is promised
		t.Fatalf("read %d bytes, %v; want the end", k, err)
	}
	_ = s.Close()
}

func TestServerAgainstStockClients(t *testing.T) {
	for name, config := range map[string]*http.HTTP2Config{
		"stock":        nil,
		"1 MiB frames": {MaxReadFrameSize: 1 << 20, MaxReceiveBufferPerStream: 4 << 20, MaxReceiveBufferPerConnection: 16 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := connect(t, kernel())
			client, server := secure(t, a, b)
			sv := NewServer(server, Settings{}, func(r *ServerStream) {
				if r.Method != "CONNECT" {
					r.Refuse(400)
					return
				}
				if v, _ := r.Get("baggage"); v == "deny" {
					r.Refuse(401)
					return
				}
				echo(r)
			})
			served := make(chan error, 1)
			go func() { served <- sv.Serve() }()
			transport, err := http2.ConfigureTransports(&http.Transport{HTTP2: config})
			if err != nil {
				t.Fatal(err)
			}
			cc, err := transport.NewClientConn(client)
			if err != nil {
				t.Fatal(err)
			}
			get, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://10.0.0.2/", nil)
			if r, err := cc.RoundTrip(get); err != nil || r.StatusCode != 400 {
				t.Fatal(r, err)
			}
			r, w := connectStock(t, cc, "deny")
			_ = w.Close()
			if r.StatusCode != 401 || len(r.Header) != 0 {
				t.Fatal(r.StatusCode, r.Header)
			}
			r, w = connectStock(t, cc, "a=b")
			if r.StatusCode != 200 || len(r.Header) != 0 {
				t.Fatal(r.StatusCode, r.Header)
			}
			exchange(t, stockStream{r.Body, w}, 2<<20)
			if err := cc.Close(); err != nil {
				t.Fatal(err)
			}
			if err := <-served; err != nil {
				t.Fatal(err)
			}
		})
	}
}

func connectStock(t *testing.T, cc *http2.ClientConn, baggage string) (*http.Response, *io.PipeWriter) {
	t.Helper()
	pr, pw := io.Pipe()
	r, err := cc.RoundTrip((&http.Request{
		Method: http.MethodConnect, URL: &url.URL{Host: "10.0.0.2:80"}, Host: "10.0.0.2:80",
		Header: http.Header{"Baggage": {baggage}}, Body: pr, ContentLength: -1,
	}).WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	return r, pw
}

// stockStream is a stock client's stream.
type stockStream struct {
	io.ReadCloser
	w *io.PipeWriter
}

func (s stockStream) Write(p []byte) (int, error) { return s.w.Write(p) }
func (s stockStream) CloseWrite() error           { return s.w.Close() }
