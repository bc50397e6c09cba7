package v1

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"

	"golang.org/x/net/http2"
)

// Client is the client's side.
type Client struct {
	// Entry says where an accepted connection wants to go, as host:port, having read only what it must.
	Entry func(net.Conn) (authority string, err error)
	// Peer is the address of the server's side for an authority.
	Peer func(authority string) string
	// TLS is the client's configuration of mutual TLS.
	TLS *tls.Config

	transport *http2.Transport //nolint:staticcheck // the stock HTTP/2 is the point
	pool      pool
}

// Serve accepts connections until the listener is closed.
func (c *Client) Serve(listener net.Listener) error {
	stock := &http.Transport{HTTP2: &http.HTTP2Config{
		MaxReadFrameSize: frameSize, MaxReceiveBufferPerStream: streamWindow, MaxReceiveBufferPerConnection: connectionWindow,
	}}
	var err error
	if c.transport, err = http2.ConfigureTransports(stock); err != nil { //nolint:staticcheck // the stock HTTP/2 is the point
		return fmt.Errorf("configuring HTTP/2: %w", err)
	}
	c.transport.StrictMaxConcurrentStreams = true //nolint:staticcheck // the stock HTTP/2 is the point
	c.pool.dial = c.dial
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go c.carry(conn.(*net.TCPConn))
	}
}

func (c *Client) dial(ctx context.Context, peer string) (*http2.ClientConn, error) { //nolint:staticcheck // the stock HTTP/2 is the point
	raw, err := (&net.Dialer{}).DialContext(ctx, "tcp", peer)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(raw, c.TLS)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return c.transport.NewClientConn(secure) //nolint:staticcheck // the stock HTTP/2 is the point
}

// carry carries one connection to its end.
func (c *Client) carry(app *net.TCPConn) {
	defer func() { _ = app.Close() }()
	authority, err := c.Entry(app)
	if err != nil {
		return
	}
	conn, release, err := c.pool.take(context.Background(), c.Peer(authority))
	if err != nil {
		return
	}
	defer release()
	request := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Host: authority}, Host: authority, Header: http.Header{},
		Body: io.NopCloser(plainReader{app}), ContentLength: -1,
	}
	response, err := conn.RoundTrip(request)
	if err != nil {
		return
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return
	}
	_, err = io.CopyBuffer(plainWriter{app}, plainReader{response.Body}, make([]byte, copySize))
	if err == nil {
		_ = app.CloseWrite()
	}
}
