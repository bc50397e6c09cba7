package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/proxy"

	"github.com/troupe-mesh/troupe/messages"
)

// call is one call of the client application and what must become of it.
type call struct {
	title string
	port  uint16
	// note says what there is to be seen.
	note string
	// answer is what the application says; empty when the call must fail.
	answer string
	// outbound and inbound must stand in the access log of the two nodes.
	outbound, inbound []string
	// spans must come, so often; texts must stand in the traces.
	spans map[messages.SpanName]int
	texts []string
}

func calls() []call {
	const service = `dst.service="` + serviceName + `"`
	spans := map[messages.SpanName]int{messages.SpanOutbound: 1, messages.SpanConnect: 2} // one CONNECT on either node
	whole := maps.Clone(spans)
	whole[messages.SpanTunnelClose] = 2
	whole[messages.SpanConnectionSetup] = 1
	return []call{
		{
			title: "an allowed call", port: shopPort, answer: "cart is empty",
			note: `The address of service cart leads to pod cart-0 on node-b. node-a opens a tunnel to node-b and asks it to CONNECT to the pod;
node-b asks its policies and dials the application. Both nodes write a line, and one trace shows who took how long.
Traces of their own show what happens once: certificates are made (csr), and the tunnel is set up. Later calls find it
(pool.hit=true).`,
			outbound: []string{"connection complete", service, `direction="outbound"`},
			inbound:  []string{"connection complete", service, `direction="inbound"`},
			spans:    whole, texts: []string{"dial", messages.SpanConnectionSetup.String()},
		},
		{
			title: "a call that policy shop/no-admin denies", port: adminPort,
			note: `See authorize on node-b: policy.decision names the policy, the rule and the field that decided. node-a is told 401, the
client "not allowed"; the application never hears of the call.`,
			outbound: []string{`error="http status: 401 Unauthorized"`}, inbound: []string{"explicitly denied by: shop/no-admin"},
			spans: spans, texts: []string{"policy_denied", "shop/no-admin", "policy.decision"},
		},
		{
			title: "a call to a port where nobody listens", port: deadPort,
			note:     `See dial on node-b: the policies allow the call, and the pod refuses the connection. node-a is told 503.`,
			outbound: []string{`error="http status: 503 Service Unavailable"`},
			inbound:  []string{`error="connection failed: Connection refused (os error 111)"`},
			spans:    spans, texts: []string{"connection_refused", "dial"},
		},
	}
}

const callTimeout = 15 * time.Second

// make makes the call through the client's proxy and returns what the application answered.
func (c call) make(ctx context.Context, w world) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	through, err := proxy.SOCKS5("tcp", netip.AddrPortFrom(w.client, socksPort).String(), nil,
		&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(w.client, 0))})
	if err != nil {
		return "", fmt.Errorf("prepare SOCKS5: %w", err)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: through.(proxy.ContextDialer).DialContext}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(w), nil)
	if err != nil {
		return "", fmt.Errorf("make a request for %s: %w", c.url(w), err)
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return "", err // it says all: GET, URL and way
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	return strings.TrimSpace(string(body)), nil
}

func (c call) url(w world) string {
	return "http://" + netip.AddrPortFrom(w.vip, c.port).String() + "/"
}

// reason is what the SOCKS5 library has from the proxy, without what it wraps that in.
func reason(err error) string {
	var op *net.OpError
	if !errors.As(err, &op) || op.Err == nil {
		return err.Error()
	}
	return "no connection; the proxy's SOCKS5 reply: " + strings.TrimPrefix(op.Err.Error(), "unknown error ")
}

// outcome is what became of a call.
type outcome struct {
	answer            string
	err               error
	outbound, inbound string
	traces            string
}

// check compares an outcome with what it must be.
func (c call) check(o outcome) error {
	switch {
	case c.answer != "" && o.err != nil:
		return fmt.Errorf("the call failed: %w", o.err)
	case c.answer == "" && o.err == nil:
		return fmt.Errorf("the call must fail, and was answered %q", o.answer)
	case o.answer != c.answer:
		return fmt.Errorf("the answer is %q, want %q", o.answer, c.answer)
	}
	for _, want := range c.outbound {
		if !strings.Contains(o.outbound, want) {
			return fmt.Errorf("%s logged %q, want %q in it", nodeA, o.outbound, want)
		}
	}
	for _, want := range c.inbound {
		if !strings.Contains(o.inbound, want) {
			return fmt.Errorf("%s logged %q, want %q in it", nodeB, o.inbound, want)
		}
	}
	for _, want := range slices.Concat(c.texts, []string{nodeA, nodeB}) {
		if !strings.Contains(o.traces, want) {
			return fmt.Errorf("the trace lacks %q", want)
		}
	}
	return nil
}
