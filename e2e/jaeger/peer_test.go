package jaeger

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// peer is a proxy that is not ours: it has a certificate of the mesh, sends a traceparent with every CONNECT, never
// samples, and exports nothing.
type peer struct {
	t      *testing.T
	tunnel *hbone.Client
}

// newPeer opens a tunnel to node B as the client's pod.
func newPeer(t *testing.T, caDir string) *peer {
	t.Helper()
	a, b := nodes[0], nodes[1]
	authority, err := mtls.SharedAuthority(caDir, mtls.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	csr, key, err := mtls.NewCSR(a.identity())
	if err != nil {
		t.Fatal(err)
	}
	chain, err := authority.Issue(csr)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := mtls.ParseChain(a.identity(), key, chain)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
	defer cancel()
	dialer := &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(a.ip, 0))}
	raw, err := dialer.DialContext(ctx, "tcp", netip.AddrPortFrom(b.ip, hbonePort).String())
	if err != nil {
		t.Fatal(err)
	}
	secured := tls.Client(raw, certificate.ClientConfig([]messages.Identity{b.identity()}, mtls.Options{}))
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		t.Fatal(err)
	}
	tunnel, err := hbone.NewClient(secured, hbone.ClientDefaults())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		tunnel.Abort(nil)
		<-tunnel.Done()
	})
	return &peer{t: t, tunnel: tunnel}
}

// call sends a CONNECT for a port of the server's pod with a traceparent and returns the answer's status. A connection
// that is established it ends, and waits until the other side has.
func (p *peer) call(port uint16, traceparent string) int {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), callTimeout)
	defer cancel()
	authority := netip.AddrPortFrom(nodes[1].ip, port).String()
	stream, response, err := p.tunnel.Open(ctx, authority, []hbone.Header{{Name: "traceparent", Value: traceparent}})
	if err != nil {
		p.t.Fatalf("CONNECT %s: %v", authority, err)
	}
	if response.Status != http.StatusOK {
		return response.Status
	}
	defer func() { _ = stream.Close() }()
	err = stream.SetDeadline(time.Now().Add(callTimeout))
	if err == nil {
		err = stream.CloseWrite()
	}
	if err == nil {
		_, err = io.Copy(io.Discard, stream)
	}
	if err != nil {
		p.t.Errorf("end the connection to %s: %v", authority, err)
	}
	return response.Status
}
