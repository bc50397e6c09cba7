package demo

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

// call is one call of the client application and what must become of it.
type call struct {
	title string
	port  uint16
	// answer is what the application says; empty when the call must fail.
	answer string
	// outbound and inbound must stand in the access log of the two nodes.
	outbound, inbound string
	// spans must stand in the trace.
	spans []string
}

func calls() []call {
	return []call{
		{
			title: "an allowed call", port: shopPort, answer: "cart is empty",
			outbound: `dst.service="cart.shop.svc.cluster.local"`, inbound: `dst.service="cart.shop.svc.cluster.local"`,
			spans: []string{"outbound", "CONNECT", "dial"},
		},
		{
			title: "a call that policy shop/no-admin denies", port: adminPort,
			outbound: `error="http status: 401 Unauthorized"`, inbound: "explicitly denied by: shop/no-admin",
			spans: []string{"policy_denied", "shop/no-admin"},
		},
		{
			title: "a call to an endpoint where nobody listens", port: deadPort,
			outbound: `error="http status: 503 Service Unavailable"`, inbound: `error="connection failed: Connection refused (os error 111)"`,
			spans: []string{"connection_refused", "dial"},
		},
	}
}

const callTimeout = 15 * time.Second

// make makes the call through the client's proxy and returns what the application answered.
func (c call) make(ctx context.Context, socks netip.AddrPort) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	through, err := proxy.SOCKS5("tcp", socks.String(), nil, &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(clientIP, 0))})
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: through.(proxy.ContextDialer).DialContext}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+netip.AddrPortFrom(cartVIP, c.port).String()+"/", nil)
	if err != nil {
		return "", err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	return strings.TrimSpace(string(body)), err
}

// check compares what became of the call with what must.
func (c call) check(answer string, err error, outbound, inbound, trace string) error {
	switch {
	case c.answer != "" && err != nil:
		return fmt.Errorf("the call failed: %w", err)
	case c.answer == "" && err == nil:
		return fmt.Errorf("the call must fail, and was answered %q", answer)
	case answer != c.answer:
		return fmt.Errorf("the answer is %q, want %q", answer, c.answer)
	case !strings.Contains(outbound, c.outbound):
		return fmt.Errorf("the client's node logged %q, want %q in it", outbound, c.outbound)
	case !strings.Contains(inbound, c.inbound):
		return fmt.Errorf("the server's node logged %q, want %q in it", inbound, c.inbound)
	}
	for _, want := range append(c.spans, nodeA, nodeB) {
		if !strings.Contains(trace, want) {
			return fmt.Errorf("the trace lacks %q", want)
		}
	}
	return nil
}
