package agent

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/troupe-mesh/troupe/transport/mtls"
)

// WaypointText is what a waypoint says before it echoes.
const WaypointText = "waypoint\n"

// mtlsOptions are the defaults.
var mtlsOptions mtls.Options

// Waypoint says what a stand-in for a waypoint is: it answers every CONNECT with 200, says WaypointText and echoes. One
// that forwards is a network's gateway instead: it hands the bytes on, and those who answer there do the talking.
type Waypoint struct {
	Address  string // where it listens
	CADir    string
	Identity string
	Baggage  string // of its answers; empty for none
	Forward  string // where it hands the bytes of every CONNECT on; empty to echo
}

// Request is one CONNECT as the waypoint saw it.
type Request struct {
	Peer      netip.AddrPort
	Authority string
	Header    http.Header
	Identity  string // of the peer's certificate
}

// ServeWaypoint starts a waypoint.
func (a *Agent) ServeWaypoint(w Waypoint) netip.AddrPort {
	a.tb.Helper()
	bound, err := call[netip.AddrPort](a, stepLimit, "waypoint", w)
	a.must(err)
	return bound
}

// Requests are those that the agent's waypoints have had.
func (a *Agent) Requests() []Request {
	a.tb.Helper()
	requests, err := call[[]Request](a, stepLimit, "requests", struct{}{})
	a.must(err)
	return requests
}

// requests are kept for the test to ask for.
type requests struct {
	mu   sync.Mutex
	seen []Request
}

func (w *worker) waypoint(args Waypoint) (any, error) {
	own, err := certificate(args.CADir, args.Identity)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", args.Address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", args.Address, err)
	}
	go w.acceptTunnels(listener, own, args)
	return netip.ParseAddrPort(listener.Addr().String())
}

func (w *worker) acceptTunnels(listener net.Listener, own *mtls.Certificate, args Waypoint) {
	server := &http.Server{
		TLSConfig: own.ServerConfig(mtlsOptions), Protocols: new(http.Protocols), ReadHeaderTimeout: stepLimit,
		ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			seen := Request{Authority: r.Host, Header: r.Header}
			if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
				seen.Peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
			}
			if id, ok := mtls.PeerIdentity(*r.TLS); ok {
				seen.Identity = id.String()
			}
			w.requests.add(seen)
			if args.Forward != "" {
				forwardTunnel(rw, r, args.Forward)
				return
			}
			echoTunnel(rw, r, args.Baggage)
		}),
	}
	server.Protocols.SetHTTP2(true)
	_ = server.ServeTLS(listener, "", "") // until the process ends
}

// echoTunnel is one CONNECT through the waypoint.
func echoTunnel(rw http.ResponseWriter, r *http.Request, baggage string) {
	if r.Method != http.MethodConnect {
		rw.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if baggage != "" {
		rw.Header().Set("Baggage", baggage)
	}
	rw.WriteHeader(http.StatusOK)
	control := http.NewResponseController(rw)
	say := func(p []byte) bool {
		_, err := rw.Write(p)
		return err == nil && control.Flush() == nil
	}
	if !say([]byte(WaypointText)) {
		return
	}
	buffer := make([]byte, 32<<10)
	for {
		n, err := r.Body.Read(buffer)
		if n > 0 && !say(buffer[:n]) || err != nil {
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
	}
}

// forwardTunnel is one CONNECT through a gateway: the end of either side goes through to the other.
func forwardTunnel(rw http.ResponseWriter, r *http.Request, to string) {
	onward, err := net.DialTimeout("tcp", to, stepLimit)
	if err != nil {
		rw.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	defer func() { _ = onward.Close() }()
	rw.WriteHeader(http.StatusOK)
	control := http.NewResponseController(rw)
	if control.Flush() != nil {
		return
	}
	go func() {
		_, _ = io.Copy(onward, r.Body)
		if tcp, ok := onward.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	}()
	_, _ = io.Copy(flushing{rw, control}, onward)
}

// flushing sends what is written at once.
type flushing struct {
	io.Writer
	control *http.ResponseController
}

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	return n, errors.Join(err, f.control.Flush())
}

func (q *requests) add(r Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.seen = append(q.seen, r)
}

func (w *worker) listRequests(struct{}) (any, error) {
	w.requests.mu.Lock()
	defer w.requests.mu.Unlock()
	return w.requests.seen, nil
}
