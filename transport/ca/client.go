package ca

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/grpcdial"
	wire "github.com/troupe-mesh/troupe/transport/wire/ca"
)

const (
	// impersonated is the key of the metadata that names whom a certificate is for.
	impersonated = "ImpersonatedIdentity"
	// maxResponse bounds an answer, in bytes: real ones have a few KiB.
	maxResponse = 1 << 20
	// idle is after how long without a call the connection is closed; the CA closes it after half an hour anyway.
	idle = 90 * time.Second
)

// Config says which CA, and what is asked of it.
type Config struct {
	Server grpcdial.Config
	// Impersonate names the identity in the request: shared mode.
	Impersonate bool
	// TTL is how long certificates are to be valid (SECRET_TTL), in whole seconds.
	TTL time.Duration
	// Warn is told of what does not stop a call: roots that can't be read while there is a connection. Nil for nobody.
	Warn func(error)
}

// Client asks a CA. It is safe for concurrent use.
type Client struct {
	config Config

	mu      sync.Mutex
	channel *channel // the current one, nil when the next call is to make one
	all     map[*channel]struct{}
	closed  bool
}

// channel is a connection and who uses it.
type channel struct {
	conn   *grpc.ClientConn
	client wire.IstioCertificateServiceClient
	roots  fingerprint
	users  int
	timer  *time.Timer // closes it when nobody uses it
}

var errClosed = errors.New("the client of the certificate authority is closed")

// New makes a client. It fails when the address can't be one, or the roots are there and can't be read: nobody could be
// asked then. Roots that are not there yet may come.
func New(c Config) (*Client, error) {
	if c.Server.MaxMessage == 0 {
		c.Server.MaxMessage = maxResponse
	}
	if c.Warn == nil {
		c.Warn = func(error) {}
	}
	conn, err := grpcdial.Dial(c.Server)
	switch {
	case err == nil:
		_ = conn.Close() // the first call makes its own
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	return &Client{config: c, all: map[*channel]struct{}{}}, nil
}

// Sign has a request, in PEM, signed for id and returns the chain in the order of the answer. The error wraps the CA's
// status.
func (c *Client) Sign(ctx context.Context, csrPEM []byte, id messages.Identity) ([]string, error) {
	ch, err := c.acquire()
	if err != nil {
		return nil, err
	}
	request := &wire.IstioCertificateRequest{Csr: string(csrPEM), ValidityDuration: int64(c.config.TTL / time.Second)}
	if c.config.Impersonate {
		request.Metadata = &structpb.Struct{Fields: map[string]*structpb.Value{impersonated: structpb.NewStringValue(id.String())}}
	}
	response, err := ch.client.CreateCertificate(ctx, request)
	c.release(ch, isBroken(err))
	if err != nil {
		return nil, &CallError{Identity: id, Err: err}
	}
	return response.GetCertChain(), nil
}

// isBroken reports whether the connection is to blame, or may be: one that nothing comes out of must not be used again.
func isBroken(err error) bool {
	code := status.Code(err)
	return code == codes.Unavailable || code == codes.DeadlineExceeded
}

// acquire is a connection by the roots of now.
func (c *Client) acquire() (*channel, error) {
	now, readErr := c.fingerprint()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	if ch := c.channel; ch != nil && (readErr != nil || ch.roots != now) {
		next, err := c.dial(now, readErr)
		if err != nil {
			c.config.Warn(fmt.Errorf("the roots of the certificate authority can't be used, the connection stays with the former ones: %w", err))
			return ch.use(), nil
		}
		c.retire(ch)
		c.channel = next
	}
	if c.channel == nil {
		next, err := c.dial(now, readErr)
		if err != nil {
			return nil, fmt.Errorf("certificate authority: %w", err)
		}
		c.channel = next
	}
	return c.channel.use(), nil
}

func (c *Client) dial(roots fingerprint, readErr error) (*channel, error) {
	if readErr != nil {
		return nil, readErr
	}
	conn, err := grpcdial.Dial(c.config.Server)
	if err != nil {
		return nil, err
	}
	ch := &channel{conn: conn, client: wire.NewIstioCertificateServiceClient(conn), roots: roots}
	c.all[ch] = struct{}{}
	return ch, nil
}

func (ch *channel) use() *channel {
	ch.users++
	if ch.timer != nil {
		ch.timer.Stop()
		ch.timer = nil
	}
	return ch
}

// release gives a connection back. A broken one is not used again: gRPC would wait with its own back-off, and ours has
// passed by the time of the next call.
func (c *Client) release(ch *channel, broken bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch.users--
	if broken && c.channel == ch {
		c.channel = nil
	}
	switch {
	case ch.users > 0:
	case c.channel != ch:
		c.end(ch)
	default:
		ch.timer = time.AfterFunc(idle, func() { c.expire(ch) })
	}
}

// retire takes a connection out of use; its calls go on. c.mu is held.
func (c *Client) retire(ch *channel) {
	if c.channel == ch {
		c.channel = nil
	}
	if ch.users == 0 {
		c.end(ch)
	}
}

func (c *Client) expire(ch *channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ch.users == 0 {
		c.retire(ch)
	}
}

// end closes a connection; a second time it does nothing. c.mu is held.
func (c *Client) end(ch *channel) {
	if _, open := c.all[ch]; !open {
		return
	}
	delete(c.all, ch)
	if ch.timer != nil {
		ch.timer.Stop()
	}
	_ = ch.conn.Close() // it only says that it is closed already
}

// Close ends all connections, and the calls on them.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed, c.channel = true, nil
	for ch := range c.all {
		c.end(ch)
	}
}
