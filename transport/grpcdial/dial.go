package grpcdial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/troupe-mesh/troupe/transport/mtls"
)

// The time limits of spec/control.md §2.2.
const (
	connectTimeout   = 5 * time.Second
	handshakeTimeout = 15 * time.Second
	pingAfter        = 30 * time.Second
	pingTimeout      = 10 * time.Second
)

// tcpKeepalive finds out that a server is gone while the connection is idle.
var tcpKeepalive = net.KeepAliveConfig{Enable: true, Idle: 300 * time.Second, Interval: 75 * time.Second, Count: 9}

// maxHeaders bounds what a server may send as headers, in bytes.
const maxHeaders = 64 << 10

// defaultMaxMessage is the largest message taken where Config names no other, in bytes.
const defaultMaxMessage = 4 << 20

// Config says how a control-plane server is reached.
type Config struct {
	// Address is https://host or https://host:port; the port is 443 where it has none.
	Address string
	Roots   Roots
	// AltHostname is a second name that the server's certificate may bear; empty for none.
	AltHostname string
	TLS         mtls.Options
	Token       Token
	ClusterID   string
	Headers     []Header
	// MaxMessage is the largest message taken, in bytes; 0 means 4 MiB.
	MaxMessage int
	// Handshake bounds connecting, TLS and the server's first HTTP/2 frame together; 0 means 15 s.
	Handshake time.Duration
	// Connect opens the TCP connection; nil means the kernel's.
	Connect func(ctx context.Context, address string) (net.Conn, error)
}

var (
	errScheme = errors.New("the address is not an https:// one: the control plane is reached by TLS only")
	errHost   = errors.New("the address names no host")
)

// Dial makes a connection, whose network part begins with the first call. It fails when the address is no https one or the
// roots can't be read. The caller closes it.
func Dial(c Config) (*grpc.ClientConn, error) {
	host, hostPort, err := splitAddress(c.Address)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", c.Address, err)
	}
	t, err := c.serverTLS(host)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", c.Address, err)
	}
	connect := c.Connect
	if connect == nil {
		connect = connectTCP
	}
	limit, handshake := c.MaxMessage, c.Handshake
	if limit == 0 {
		limit = defaultMaxMessage
	}
	if handshake == 0 {
		handshake = handshakeTimeout
	}
	conn, err := grpc.NewClient("passthrough:///"+hostPort,
		grpc.WithTransportCredentials(credentials.NewTLS(t)),
		grpc.WithPerRPCCredentials(&perCall{token: c.Token, cluster: c.ClusterID, headers: c.Headers}),
		grpc.WithContextDialer(connect),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithMaxHeaderListSize(maxHeaders),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(limit)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingTimeout}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: handshake}),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", c.Address, err)
	}
	return conn, nil
}

func connectTCP(ctx context.Context, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTimeout, KeepAliveConfig: tcpKeepalive}
	return d.DialContext(ctx, "tcp", address)
}

// splitAddress takes the host, and host and port, out of an address.
func splitAddress(address string) (host, hostPort string, err error) {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "", "", err
	case u.Scheme != "https":
		return "", "", errScheme
	case u.Hostname() == "":
		return "", "", errHost
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return u.Hostname(), net.JoinHostPort(u.Hostname(), port), nil
}
