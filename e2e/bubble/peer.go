package bubble

import (
	"context"
	"crypto/tls"
	"errors"
	"net/netip"
	"time"

	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/memnet"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// Identity is the identity of the world's workload of that name.
func Identity(name string) messages.Identity {
	return messages.Identity{TrustDomain: messages.DefaultTrustDomain, Namespace: "ns", ServiceAccount: name}
}

// Certificate makes a certificate of the world's authority for whomever.
func (w *World) Certificate(id messages.Identity) *mtls.Certificate {
	w.tb.Helper()
	csr, key, err := mtls.NewCSR(id)
	if err != nil {
		w.tb.Fatal(err)
	}
	chain, err := w.authority.Issue(csr)
	if err != nil {
		w.tb.Fatal(err)
	}
	certificate, err := mtls.ParseChain(id, key, chain)
	if err != nil {
		w.tb.Fatal(err)
	}
	w.issued[id] = certificate
	return certificate
}

// Issued is the certificate that was made last for the workload of that name that is no node.
func (w *World) Issued(name string) *mtls.Certificate { return w.issued[Identity(name)] }

// Peer is a mesh peer that is not a node of ours: one tunnel, of which the test has both ends in hand.
type Peer struct {
	*hbone.Client
	// Certificate is its own.
	Certificate *mtls.Certificate

	w    *World
	conn socket.Conn
}

// Tunnel opens a tunnel from a host to a node's HBONE port as somebody.
func (w *World) Tunnel(from *memnet.Host, as messages.Identity, to *Node) (*Peer, error) {
	w.tb.Helper()
	conn, err := from.Dial(context.Background(), netip.AddrPortFrom(to.Host.Addr(), portHBONE), socket.DialOptions{})
	if err != nil {
		w.tb.Fatal(err)
	}
	certificate := w.Certificate(as)
	config := certificate.ClientConfig([]messages.Identity{Identity(to.name)}, mtls.Options{})
	secured := tls.Client(hbone.Coalesce(conn), config)
	if err := secured.Handshake(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	client, err := hbone.NewClient(secured, hbone.ClientDefaults())
	if err != nil {
		w.tb.Fatal(err)
	}
	p := &Peer{Client: client, Certificate: certificate, w: w, conn: conn}
	w.peers = append(w.peers, p)
	return p, nil
}

// MustTunnel is Tunnel that fails the test.
func (w *World) MustTunnel(from *memnet.Host, as messages.Identity, to *Node) *Peer {
	w.tb.Helper()
	p, err := w.Tunnel(from, as, to)
	if err != nil {
		w.tb.Fatal(err)
	}
	return p
}

// Connect sends a CONNECT and waits for its answer. The connection is nil unless that is 200.
func (p *Peer) Connect(authority string, headers ...hbone.Header) (*Conn, *hbone.Response) {
	p.w.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, answer, err := p.Open(ctx, authority, headers)
	if err != nil {
		p.w.tb.Fatalf("CONNECT %s: %v", authority, err)
	}
	p.w.Settle()
	if answer.Status != 200 {
		return nil, answer
	}
	return &Conn{Conn: stream, w: p.w}, answer
}

// WantStatus sends a CONNECT and fails the test unless that is its answer.
func (p *Peer) WantStatus(want int, authority string, headers ...hbone.Header) {
	p.w.tb.Helper()
	c, answer := p.Connect(authority, headers...)
	if answer.Status != want {
		p.w.tb.Errorf("CONNECT %s: status %d, want %d", authority, answer.Status, want)
	}
	if c != nil {
		c.Finish()
	}
}

// Addr is where the tunnel comes from.
func (p *Peer) Addr() netip.AddrPort { return netip.MustParseAddrPort(p.conn.LocalAddr().String()) }

// Gone reports whether the tunnel has ended.
func (p *Peer) Gone() bool {
	select {
	case <-p.Done():
		return true
	default:
		return false
	}
}

// Close ends the tunnel and everything in it.
func (p *Peer) Close() {
	p.Abort(nil)
	<-p.Done()
}

// PeerServer is a mesh peer that accepts tunnels: every CONNECT goes to Handle.
type PeerServer struct {
	*App
}

// ServePeer serves HBONE on a host as somebody. Handle gets each CONNECT on the tunnel's reader and must not block.
func (w *World) ServePeer(h *memnet.Host, addr string, as messages.Identity, handle func(*hbone.ServerStream)) *PeerServer {
	w.tb.Helper()
	certificate := w.Certificate(as)
	return &PeerServer{w.Serve(h, addr, func(c socket.Conn) {
		secured := tls.Server(hbone.Coalesce(c), certificate.ServerConfig(mtls.Options{}))
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if secured.HandshakeContext(ctx) != nil {
			return
		}
		_ = hbone.NewServer(secured, hbone.ServerDefaults(), handle).Serve() // however it ends
	})}
}

// NoSigner is an authority that refuses.
type NoSigner struct{}

var _ identity.Signer = NoSigner{}

// Sign refuses.
func (NoSigner) Sign(context.Context, []byte, messages.Identity) ([]string, error) {
	return nil, errors.New("the authority is closed")
}

// SlowSigner is an authority that never answers.
type SlowSigner struct{}

// Sign waits until ctx ends.
func (SlowSigner) Sign(ctx context.Context, _ []byte, _ messages.Identity) ([]string, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
