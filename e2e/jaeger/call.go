package jaeger

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/proxy"
)

const callTimeout = 15 * time.Second

// Call makes one call of the client pod to a port of service cart, on a connection of its own, and returns what the
// application answered.
func Call(ctx context.Context, port uint16) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	through, err := proxy.SOCKS5("tcp", netip.AddrPortFrom(clientIP, socksPort).String(), nil,
		&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(clientIP, 0))})
	if err != nil {
		return "", fmt.Errorf("prepare SOCKS5: %w", err)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: through.(proxy.ContextDialer).DialContext}
	defer transport.CloseIdleConnections()
	url := "http://" + netip.AddrPortFrom(vip, port).String() + "/"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", fmt.Errorf("make a request for %s: %w", url, err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err //nolint:wrapcheck // it says all: GET, URL and way
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return "", fmt.Errorf("read the answer of %s: %w", url, err)
	}
	return strings.TrimSpace(string(body)), nil
}
