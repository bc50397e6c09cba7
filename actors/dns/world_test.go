package dns

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	wire "github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/state"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/dnswire"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// patience bounds every wait of a test.
const patience = 20 * time.Second

// world is a pod's DNS proxy on loopback, with stores and with a name server that a test scripts.
type world struct {
	t         testing.TB
	system    *kit.System
	telemetry *trace.Telemetry
	tree      *trace.Tree
	log       *syncBuffer
	printed   *syncBuffer
	workloads *actor.PID
	services  *actor.PID
	proxy     *actor.PID
	addr      netip.AddrPort
	limits    *Limits
	server    *dnswire.Server
	said      *said
	ending    atomic.Bool
}

// said notes what the proxy's Log is told.
type said struct {
	mu     sync.Mutex
	events []string
}

func (s *said) note(event string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, event)
}

func (s *said) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

func (s *said) DNSStarted(netip.AddrPort)           { s.note("started") }
func (s *said) DNSDraining()                        { s.note("draining") }
func (s *said) DNSDrained()                         { s.note("drained") }
func (s *said) DNSFailed(err error)                 { s.note("failed: " + err.Error()) }
func (s *said) DNSDomainUnused(domain, seen string) { s.note("unused " + domain + ", seen " + seen) }

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// network is the kernel's, as the proxy wants it.
type network struct {
	socket.Network
	socket.PacketNetwork
}

func kernel() network {
	n := socket.New(socket.Config{})
	return network{n, n.(socket.PacketNetwork)}
}

func (n network) DialStream(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	return n.Dial(ctx, addr, socket.DialOptions{})
}

// change changes a world's configuration before it starts.
type change func(*Config)

func servers(timeout time.Duration, addrs ...netip.AddrPort) change {
	return func(c *Config) {
		c.Upstream = dnswire.NewUpstream(dnswire.UpstreamConfig{Servers: addrs, Timeout: timeout, Dialer: kernel()})
	}
}

func newWorld(t testing.TB, changes ...change) *world {
	t.Helper()
	return newFaultyWorld(t, nil, changes...)
}

// newFaultyWorld is a world whose actors break as faults say.
func newFaultyWorld(t testing.TB, faults kit.FaultHook, changes ...change) *world {
	t.Helper()
	w := &world{t: t, log: &syncBuffer{}, limits: DefaultLimits(), said: &said{}, server: &dnswire.Server{Counters: &dnswire.Counters{}}, printed: &syncBuffer{}}
	w.tree = trace.NewTree(w.printed)
	scopes := "dns=debug"
	filter, err := logs.DefaultFilter(&scopes)
	if err != nil {
		t.Fatal(err)
	}
	lines := logs.New(w.log, logs.Plain, filter)
	provider, err := trace.NewProvider(trace.ProviderOptions{Direct: []trace.Exporter{w.tree}, Ratio: 1})
	if err != nil {
		t.Fatal(err)
	}
	if w.telemetry, err = trace.New(trace.Options{Provider: provider, Logs: lines}); err != nil {
		t.Fatal(err)
	}
	w.system = kit.NewSystem(kit.Config{Log: w.telemetry.ActorEvent, Faults: faults})
	w.spawn(state.ServiceStore(state.Config{Workloads: func() *actor.PID { return w.workloads }}), &w.services)
	w.spawn(state.WorkloadStore(state.Config{Services: func() *actor.PID { return w.services }}), &w.workloads)
	c := Config{
		Server: w.server, Limits: w.limits, Domain: "cluster.local", Preferred: "preferred-ns", IPv6: true, Log: w.said,
		System: w.system, Telemetry: w.telemetry, Workloads: w.workloads, Services: w.services,
		Info:         messages.WorkloadInfo{Name: "client", Namespace: "ns1", ServiceAccount: "default"},
		WorkloadWait: patience, StageDeadline: patience, Ending: &w.ending,
	}
	servers(patience)(&c)
	for _, f := range changes {
		f(&c)
	}
	for range 50 { // the port that is free for TCP need not be so for UDP
		c.Sockets, err = Listen(t.Context(), kernel(), []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, socket.ListenOptions{}, func(err error) { t.Error(err) })
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	w.addr = c.Sockets[0].Stream.Addr()
	w.spawn(Spec(c), &w.proxy)
	w.system.Send(w.proxy, &messages.StartAccepting{})
	t.Cleanup(func() {
		w.ending.Store(true)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.system.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		_ = w.telemetry.Shutdown(ctx)
		_ = lines.Close(ctx)
	})
	return w
}

func (w *world) spawn(spec kit.Spec, pid **actor.PID) {
	w.t.Helper()
	var err error
	if *pid, err = w.system.SpawnRoot(spec, spec.Role); err != nil {
		w.t.Fatal(err)
	}
}

// know tells the stores everything that there is.
func (w *world) know(workloads []*messages.Workload, services []*messages.Service) {
	u := &messages.UpdateWorkloads{}
	for _, wl := range workloads {
		ports := map[messages.NamespacedHostname]messages.PortMap{}
		for _, key := range wl.Services {
			ports[key] = messages.PortMap{80: 80}
		}
		u.Set = append(u.Set, messages.WorkloadUpdate{Workload: wl, Ports: ports})
	}
	w.system.Send(w.workloads, u)
	s := &messages.UpdateServices{}
	for _, svc := range services {
		s.Set = append(s.Set, messages.ServiceUpdate{Service: svc})
	}
	w.system.Send(w.services, s)
}

func client() *messages.Workload {
	return &messages.Workload{
		UID: "client", Name: "client", Namespace: "ns1", ServiceAccount: "default", TrustDomain: "cluster.local", Network: "nw1",
		CanonicalName: "shopper", CanonicalRevision: "v2",
	}
}

// query asks the proxy once.
func (w *world) query(proto, name string, kind uint16, changes ...func(*wire.Msg)) *wire.Msg {
	w.t.Helper()
	m := new(wire.Msg).SetQuestion(name, kind)
	for _, f := range changes {
		f(m)
	}
	c := wire.Client{Net: proto, Timeout: patience, UDPSize: 65535}
	answer, _, err := c.Exchange(m, w.addr.String())
	if err != nil {
		w.t.Fatalf("%s %s %s: %v", proto, name, wire.TypeToString[kind], err)
	}
	return answer
}

// eventually waits until something is so.
func (w *world) eventually(what string, is func() bool) {
	w.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s: still not so", what)
		}
	}
}

// nameServer is a name server that answers as a function says.
type nameServer struct {
	addr  netip.AddrPort
	asked atomic.Int64
}

func serveNames(t testing.TB, act func(w wire.ResponseWriter, q *wire.Msg)) *nameServer {
	t.Helper()
	packets, stream := bindBoth(t)
	s := &nameServer{addr: packets.LocalAddr().(*net.UDPAddr).AddrPort()}
	handler := wire.HandlerFunc(func(w wire.ResponseWriter, q *wire.Msg) {
		s.asked.Add(1)
		act(w, q)
	})
	var done sync.WaitGroup
	t.Cleanup(done.Wait)
	for _, server := range []*wire.Server{{PacketConn: packets, Handler: handler}, {Listener: stream, Handler: handler}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		done.Go(func() { _ = server.ActivateAndServe() })
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	return s
}

// zone answers from records; other names don't exist, for the time that soa says.
func zone(t testing.TB, soa string, lines ...string) func(w wire.ResponseWriter, q *wire.Msg) {
	var all []wire.RR
	for _, line := range lines {
		rr, err := wire.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rr)
	}
	return func(w wire.ResponseWriter, q *wire.Msg) {
		m := new(wire.Msg).SetReply(q)
		m.Rcode = wire.RcodeNameError
		for _, rr := range all {
			if strings.EqualFold(rr.Header().Name, q.Question[0].Name) {
				m.Rcode = wire.RcodeSuccess
				if rr.Header().Rrtype == q.Question[0].Qtype {
					m.Answer = append(m.Answer, rr)
				} else {
					m.Extra = append(m.Extra, rr)
				}
			}
		}
		if len(m.Answer) == 0 {
			m.Extra = nil
			if soa != "" {
				rr, err := wire.NewRR(soa)
				if err != nil {
					panic(err)
				}
				m.Ns = []wire.RR{rr}
			}
		}
		if o := q.IsEdns0(); o != nil {
			m.SetEdns0(1232, false)
		}
		_ = w.WriteMsg(m)
	}
}

func text(rrs []wire.RR) []string {
	var all []string
	for _, rr := range rrs {
		if rr.Header().Rrtype != wire.TypeOPT {
			all = append(all, strings.ReplaceAll(rr.String(), "\t", " "))
		}
	}
	slices.SortFunc(all, func(a, b string) int { // aliases first
		if x, y := strings.Contains(a, "CNAME"), strings.Contains(b, "CNAME"); x != y {
			if x {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	return all
}

// bindBoth binds a port that is free for UDP and TCP.
func bindBoth(t testing.TB) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 50 {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		stream, err := net.Listen("tcp", packets.LocalAddr().String())
		if err == nil {
			return packets, stream
		}
		_ = packets.Close()
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}
