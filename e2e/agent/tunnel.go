package agent

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"github.com/troupe-mesh/troupe/messages"
)

// Tunnel asks an HBONE listener, as a peer would that isn't Troupe: by Go's HTTP/2.
type Tunnel struct {
	Proxy     string // ip:15008
	Method    string // empty for CONNECT
	Authority string
	CADir     string
	Identity  string            // of the agent
	Expected  string            // of the proxy
	Header    map[string]string // over the defaults
	Payload   string            // sent if the answer is 200, and expected twice
}

// Answer is what came of a [Tunnel].
type Answer struct {
	Status int
	Header http.Header
	Ended  bool // the answer's stream ended after the payload's answer when the agent ended its side
}

// Connect opens a tunnel, sends the payload through it, and reports the answer.
func (a *Agent) Connect(t Tunnel) Answer {
	a.tb.Helper()
	answer, err := call[Answer](a, stepLimit, "connect", t)
	a.must(err)
	return answer
}

func (w *worker) connect(t Tunnel) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	own, err := certificate(t.CADir, t.Identity)
	if err != nil {
		return nil, err
	}
	expected, err := messages.ParseIdentity(t.Expected)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		Protocols: new(http.Protocols),
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", t.Proxy)
			if err != nil {
				return nil, err
			}
			secure := tls.Client(raw, own.ClientConfig([]messages.Identity{expected}, mtlsOptions))
			if err := secure.HandshakeContext(ctx); err != nil {
				return nil, errors.Join(fmt.Errorf("TLS with %s: %w", t.Proxy, err), raw.Close())
			}
			return secure, nil
		},
	}
	transport.Protocols.SetHTTP2(true)
	defer transport.CloseIdleConnections()
	return ask(ctx, transport, t)
}

func ask(ctx context.Context, conn http.RoundTripper, t Tunnel) (Answer, error) {
	body, upload := io.Pipe()
	defer func() { _ = upload.Close() }()
	request := (&http.Request{
		Method: cmp.Or(t.Method, http.MethodConnect), URL: &url.URL{Scheme: "https", Host: t.Authority}, Host: t.Authority, Header: http.Header{}, Body: body,
		ContentLength: -1,
	}).WithContext(ctx)
	for name, value := range t.Header {
		request.Header.Set(name, value)
	}
	response, err := conn.RoundTrip(request)
	if err != nil {
		return Answer{}, fmt.Errorf("CONNECT %s: %w", t.Authority, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer := Answer{Status: response.StatusCode, Header: response.Header}
	if response.StatusCode != http.StatusOK || t.Payload == "" {
		return answer, nil
	}
	if _, err := io.WriteString(upload, t.Payload); err != nil {
		return answer, fmt.Errorf("sending through the tunnel: %w", err)
	}
	got := make([]byte, 2*len(t.Payload))
	if _, err := io.ReadFull(response.Body, got); err != nil {
		return answer, fmt.Errorf("receiving through the tunnel: %w", err)
	}
	if string(got) != t.Payload+t.Payload {
		return answer, fmt.Errorf("received %q through the tunnel", got)
	}
	if err := upload.Close(); err != nil {
		return answer, fmt.Errorf("ending the sending side: %w", err)
	}
	_, err = response.Body.Read(got)
	answer.Ended = errors.Is(err, io.EOF)
	return answer, nil
}
