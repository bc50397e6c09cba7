package istiod

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/grpcdial"
	wire "github.com/troupe-mesh/troupe/transport/wire/discovery"
	"github.com/troupe-mesh/troupe/transport/wire/workload"
	"github.com/troupe-mesh/troupe/transport/xds"
)

// Everything is pushed over one stream: the first state, what changes, and what goes (CP1 to CP4, CP11).
func TestPushes(t *testing.T) {
	s := start(t, Options{})
	s.World.Change(func(c *Change) {
		c.Workload(pod("a", "10.0.0.1"))
		c.Service(app())
		c.Policy(denial("deny"))
	})
	p := drive(t, s)
	p.awaitSync()
	a := p.workload(uid("a"))
	if a == nil || a.TrustDomain != "cluster.local" || p.service("ns", "app.ns.svc.cluster.local") == nil {
		t.Fatalf("after the first push: %+v", a)
	}
	if got := p.denies(a); !slices.Equal(got, []string{"ns/deny"}) {
		t.Errorf("policies %q", got)
	}
	up := ask[*messages.UpstreamFound](p, p.services, &messages.FindUpstream{Source: a, Dst: mustAddrPort("10.96.0.1:80")})
	if up.Upstream == nil || up.Upstream.Workload.UID != a.UID || up.Upstream.Port != 8080 {
		t.Errorf("upstream %+v", up)
	}
	s.World.Change(func(c *Change) {
		next := pod("a", "10.0.0.9")
		c.Workload(next, pod("b", "10.0.0.2"))
		c.Policy(denial("other"))
		c.Remove(AuthorizationType, "ns/deny")
	})
	p.eventually("the change arrives", func() bool {
		return p.workload(uid("b")) != nil && p.workload(uid("a")).WorkloadIPs[0].String() == "10.0.0.9" &&
			slices.Equal(p.denies(a), []string{"ns/other"})
	})
	s.World.Change(func(c *Change) { c.Remove(AddressType, uid("a"), "ns/app.ns.svc.cluster.local") })
	p.eventually("the removal arrives", func() bool {
		return p.workload(uid("a")) == nil && p.service("ns", "app.ns.svc.cluster.local") == nil
	})
	if s.Streams() != 1 {
		t.Errorf("%d streams", s.Streams())
	}
	first := s.Requests()[0].Request
	if first.Node.Id != "ztunnel~10.0.0.1~ztunnel-x.istio-system~istio-system.svc.cluster.local" {
		t.Errorf("node %q", first.Node.Id)
	}
}

// What can't be understood is NACKed by name and reason and changes nothing; the good ones beside it are there, and are what
// the next stream echoes (CP8, CP9, CP10).
func TestNACK(t *testing.T) {
	s := start(t, Options{})
	s.World.Change(func(c *Change) { c.Workload(pod("a", "10.0.0.1")) })
	p := drive(t, s)
	p.awaitSync()
	odd := pod("a", "10.0.0.1")
	odd.Addresses = [][]byte{{1, 2, 3}}
	old := pod("old", "10.0.0.3")
	old.TunnelProtocol = workload.TunnelProtocol_LEGACY_ISTIO_MTLS
	s.World.Change(func(c *Change) {
		c.Workload(odd, old, pod("good", "10.0.0.2"))
		c.Raw(AddressType, &wire.Resource{Name: "broken", Version: "1", Resource: &anypb.Any{Value: []byte{0xff}}})
		c.Raw(AddressType, &wire.Resource{Name: "empty", Version: "1", Resource: &anypb.Any{}})
		c.Raw(AddressType, &wire.Resource{Name: "none", Version: "1"})
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	nack, err := s.Await(ctx, func(o Observed) bool { return o.Request.ErrorDetail != nil })
	if err != nil {
		t.Fatal(err)
	}
	said := nack.Request.ErrorDetail.Message
	for _, want := range []string{
		uid("a") + ": an address of 3 bytes", uid("old") + ": tunnel protocol LEGACY_ISTIO_MTLS is not supported",
		"broken: decode: ", "empty: unknown address type", "none: the resource is missing",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("NACK %q lacks %q", said, want)
		}
	}
	if strings.Contains(said, uid("good")) {
		t.Errorf("NACK %q", said)
	}
	p.eventually("the good one arrives", func() bool { return p.workload(uid("good")) != nil })
	if a := p.workload(uid("a")); a == nil || a.WorkloadIPs[0].String() != "10.0.0.1" {
		t.Errorf("what was there has changed: %+v", a)
	}
	s.Cut()
	again, err := s.Await(ctx, func(o Observed) bool { return o.Stream == 2 && o.Request.TypeUrl == AddressType })
	if err != nil {
		t.Fatal(err)
	}
	echoed := again.Request.InitialResourceVersions
	if len(echoed) != 2 || echoed[uid("good")] == "" || echoed[uid("a")] == "" {
		t.Errorf("echoed %v", echoed)
	}
	// The server sees that the version of a is an old one, and sends it again.
	if _, err := s.Await(ctx, func(o Observed) bool {
		return o.Stream == 2 && strings.Contains(o.Request.GetErrorDetail().GetMessage(), uid("a"))
	}); err != nil {
		t.Error(err)
	}
}

// A connection that is slow to answer delays the doors and nothing else; one that says nothing is left for another.
func TestSlowAndSilent(t *testing.T) {
	s := start(t, Options{})
	s.World.Change(func(c *Change) { c.Workload(pod("a", "10.0.0.1")) })
	release, silent := make(chan struct{}), make(chan struct{}, 100)
	s.Follow(Script{Answer: func(ctx context.Context, stream *Stream, r *wire.DeltaDiscoveryResponse) (*wire.DeltaDiscoveryResponse, error) {
		if stream.Number == 1 {
			silent <- struct{}{}
			return nil, nil
		}
		select {
		case <-release:
		case <-ctx.Done():
		}
		return r, nil
	}})
	p := drive(t, s, func(_ *grpcdial.Config, c *discovery.Control) { c.Silence = 300 * time.Millisecond })
	<-silent
	p.eventually("another stream", func() bool { return s.Streams() > 1 })
	if p.isSynced() {
		t.Error("the doors opened without an answer")
	}
	close(release)
	p.awaitSync()
	if p.workload(uid("a")) == nil {
		t.Error("the workload is not there")
	}
}

// A server that opens streams, answers, and breaks them at once is not hammered; what it said is kept, and when it recovers
// the proxy follows.
func TestFlapping(t *testing.T) {
	s := start(t, Options{})
	s.World.Change(func(c *Change) { c.Workload(pod("a", "10.0.0.1")) })
	broken := status.Error(codes.Unavailable, "received prior goaway: the server is draining")
	s.Follow(Script{Answer: func(_ context.Context, _ *Stream, r *wire.DeltaDiscoveryResponse) (*wire.DeltaDiscoveryResponse, error) {
		if r.TypeUrl == AuthorizationType {
			return nil, broken
		}
		return r, nil
	}})
	began := time.Now()
	p := drive(t, s)
	p.eventually("it comes back a few times", func() bool { return s.Streams() >= 6 })
	if took := time.Since(began); took < 150*time.Millisecond {
		t.Errorf("6 streams in %s", took)
	}
	p.eventually("the workload is there", func() bool { return p.workload(uid("a")) != nil })
	if p.isSynced() {
		t.Error("the doors opened")
	}
	s.Follow(Script{})
	p.awaitSync()
	for _, stream := range []string{"xds{id=1}", "xds{id=6}"} { // each stream's lines say which it is
		if want := "xds::client:" + stream + "\tStream established\t"; !strings.Contains(p.logged(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	if p.ended(xds.EndReconnect)+p.ended(xds.EndError) < 5 {
		t.Errorf("counted %d and %d ends", p.ended(xds.EndReconnect), p.ended(xds.EndError))
	}
}

// Without a root that fits, or a token that is good, nothing comes, and nothing goes; both are read again for each attempt
// (CP24, CP31).
func TestRotatedRootAndToken(t *testing.T) {
	s := start(t, Options{Token: "first"})
	s.World.Change(func(c *Change) { c.Workload(pod("a", "10.0.0.1")) })
	files := t.TempDir()
	root, token := files+"/root.pem", files+"/token"
	write(t, root, s.Roots())
	write(t, token, "first\n")
	p := drive(t, s, func(c *grpcdial.Config, _ *discovery.Control) {
		c.Roots, c.Token = grpcdial.Roots{File: root}, grpcdial.Token{File: token}
	})
	p.awaitSync()
	next, err := NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Present(next); err != nil {
		t.Fatal(err)
	}
	s.Expect("second")
	s.Cut()
	p.eventually("the wrong root is told", func() bool { return strings.Contains(p.log.String(), "unknown authority") })
	s.World.Change(func(c *Change) { c.Workload(pod("b", "10.0.0.2")) })
	write(t, root, next.PEM())
	p.eventually("the wrong token is told", func() bool { return strings.Contains(p.log.String(), "authentication failure") })
	if p.workload(uid("a")) == nil || p.workload(uid("b")) != nil {
		t.Error("the state is not the one of before")
	}
	write(t, token, "second\n")
	p.eventually("the change arrives", func() bool { return p.workload(uid("b")) != nil })
	if p.ended(xds.EndConnectionError) < 2 {
		t.Errorf("counted %d", p.ended(xds.EndConnectionError))
	}
}

// While the server is gone, or half-open, what it said holds, also for a store that crashes; and what went meanwhile goes
// when it is back (CP7, CP16).
func TestOutage(t *testing.T) {
	s := start(t, Options{})
	s.World.Change(func(c *Change) {
		c.Workload(pod("a", "10.0.0.1"), pod("b", "10.0.0.2"))
		c.Policy(denial("deny"))
	})
	p := drive(t, s)
	p.awaitSync()
	a := p.workload(uid("a"))
	s.Stall(true) // half-open
	s.World.Change(func(c *Change) { c.Workload(pod("late", "10.0.0.3")) })
	if !p.connected() || p.workload(uid("b")) == nil || p.workload(uid("late")) != nil {
		t.Error("a half-open connection changed something")
	}
	s.Stop()
	p.eventually("the end is noticed", func() bool { return !p.connected() })
	s.World.Change(func(c *Change) { c.Remove(AddressType, uid("b")) })
	for _, crash := range []*fault.Rule{
		fault.On[messages.FindPolicies](p.faults, "policies").Once().Panic(errCrash),
		fault.On[messages.FindWorkload](p.faults, "workloads").Once().Panic(errCrash),
		fault.On[messages.FindHostname](p.faults, "services").Once().Panic(errCrash),
	} {
		defer crash.Release()
	}
	p.crash(p.policies, &messages.FindPolicies{Workload: a})
	p.crash(p.workloads, &messages.FindWorkload{UID: a.UID})
	p.crash(p.services, &messages.FindHostname{})
	if got := p.denies(a); !slices.Equal(got, []string{"ns/deny"}) {
		t.Errorf("after a crash of the store the policies are %q", got)
	}
	if p.workload(uid("a")) == nil || p.workload(uid("b")) == nil {
		t.Error("after a crash of the store the workloads are not there")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	p.eventually("what changed meanwhile arrives", func() bool { return p.workload(uid("b")) == nil && p.workload(uid("late")) != nil })
	if p.workload(uid("a")) == nil {
		t.Error("what stayed is gone")
	}
}

// A removal of nearly everything is one response, and is done.
func TestMassRemoval(t *testing.T) {
	const n = 5000
	s := start(t, Options{})
	all := pods(n)
	s.World.Change(func(c *Change) {
		c.Workload(all...)
		c.Service(app())
	})
	p := drive(t, s)
	p.awaitSync()
	count := func() int {
		return len(ask[*messages.WorkloadsDumped](p, p.workloads, &messages.DumpState{}).Workloads)
	}
	if got := count(); got != n {
		t.Fatalf("%d workloads, want %d", got, n)
	}
	var names []string
	for _, w := range all[1:] {
		names = append(names, w.Uid)
	}
	s.World.Change(func(c *Change) { c.Remove(AddressType, names[:n/2]...) })
	p.eventually("the removal", func() bool { return count() == n-n/2 })
	s.Stop()
	s.World.Change(func(c *Change) { c.Remove(AddressType, names...) })
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	p.eventually("the removal of what is echoed", func() bool { return count() == 1 })
	services := ask[*messages.ServicesDumped](p, p.services, &messages.DumpState{}).Services
	if len(services) != 1 || len(services[0].Endpoints) != 1 {
		t.Errorf("endpoints %+v", services)
	}
}

// On demand nothing comes that was not asked for or is not on our node; an address is found by its alias, and one that
// was missing once is found when it is there (CP5, CP6, CP123, CP124).
func TestOnDemand(t *testing.T) {
	s := start(t, Options{})
	near := pod("near", "10.0.0.4")
	near.Node = "here"
	s.World.Change(func(c *Change) {
		c.Workload(pod("a", "10.0.0.1"), pod("b", "10.0.0.2"), near)
		c.Service(app())
	})
	p := drive(t, s, func(_ *grpcdial.Config, c *discovery.Control) { c.OnDemand = true })
	p.awaitSync()
	p.eventually("the workload of our node comes unasked", func() bool { return p.workload(uid("near")) != nil })
	if p.workload(uid("a")) != nil || p.workload(uid("b")) != nil {
		t.Error("what was not asked for came")
	}
	demand := func(name string) messages.DemandOutcome {
		t.Helper()
		return ask[*messages.ResourceDemanded](p, p.discovery, &messages.DemandResource{Name: name, Wait: patience / 2}).Outcome
	}
	if got := demand("/10.0.0.1"); got != messages.DemandArrived || p.workload(uid("a")) == nil {
		t.Errorf("by address: %s", got)
	}
	if got := demand("/10.9.9.9"); got != messages.DemandAbsent {
		t.Errorf("of nobody: %s", got)
	}
	settle := func() { // the requests that a look-up leaves behind are answered in order before the next one's
		demand("/10.255.0.1")
	}
	settle()
	if p.workload(uid("a")) == nil || p.workload(uid("near")) == nil {
		t.Error("a look-up of nobody took away what is there")
	}
	s.World.Change(func(c *Change) { c.Workload(pod("new", "10.9.9.9")) })
	p.eventually("found now that it is there", func() bool { return demand("/10.9.9.9") == messages.DemandArrived })
	if got := demand("ns/app.ns.svc.cluster.local"); got != messages.DemandArrived || p.service("ns", "app.ns.svc.cluster.local") == nil {
		t.Errorf("by host name: %s", got)
	}
	p.eventually("what stands behind it comes too", func() bool { return p.workload(uid("b")) != nil })
	// Gone, and back on another node under the same address: the address was asked for twice, and is answered twice.
	s.World.Change(func(c *Change) { c.Remove(AddressType, uid("a")) })
	p.eventually("the removal", func() bool { return p.workload(uid("a")) == nil })
	if settle(); p.workload(uid("near")) == nil {
		t.Error("the removal of one took away another")
	}
	s.World.Change(func(c *Change) { c.Workload(pod("a2", "10.0.0.1")) })
	p.eventually("found again", func() bool { return demand("/10.0.0.1") == messages.DemandArrived })
	if p.workload(uid("a2")) == nil {
		t.Error("another one was found")
	}
	s.Cut()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again, err := s.Await(ctx, func(o Observed) bool { return o.Stream == 2 && o.Request.TypeUrl == AddressType })
	if err != nil {
		t.Fatal(err)
	}
	if r := again.Request; !slices.Equal(r.ResourceNamesSubscribe, []string{"*"}) || r.InitialResourceVersions[uid("a2")] == "" {
		t.Errorf("the next stream begins with %v", r)
	}
}
