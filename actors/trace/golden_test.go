package trace

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
)

var update = flag.Bool("update", false, "write the golden files anew")

// play is a connection between two nodes, in virtual time.
type play struct {
	a, b        *testNode
	out, in     *messages.Record
	series      [2]*Series
	counters    [2]relay.Counters
	tunnel      messages.SpanRef
	connect     messages.SpanRef
	setupTrace  messages.TraceID
	setupSpan   messages.SpanID
	dialFailure *messages.Failure // what pay's node meets when it dials
	verdict     *messages.Verdict
	acquire     time.Duration
}

func pass(d time.Duration) { <-time.After(d) }

// enter is the outbound chain up to the CONNECT.
func (p *play) enter() {
	p.out = outboundRecord()
	p.a.Start(p.out)
	m := &p.out.Recorder
	root := m.Begin(messages.SpanOutbound, messages.NoSpan)
	stage(m, messages.SpanAccept, root, 80*time.Microsecond)
	classify := m.Begin(messages.SpanClassify, root)
	pass(150 * time.Microsecond)
	m.Event(classify, messages.EventStoreAnswer, messages.StringAttr(messages.AttrStore, "services"),
		messages.StringAttr(messages.AttrQuestion, "FindUpstream"), messages.IntAttr(messages.AttrWait, 12))
	m.Event(classify, messages.EventRoute, messages.IntAttr(messages.AttrCandidates, 2), messages.IntAttr(messages.AttrFiltered, 1),
		messages.StringAttr(messages.AttrAnswer, "pay-7"))
	m.End(classify)
	stage(m, messages.SpanAuthorize, root, 60*time.Microsecond)
	p.tunnel = m.Begin(messages.SpanTunnel, root)
	acquire := m.Begin(messages.SpanPoolAcquire, p.tunnel)
	if p.acquire > 0 {
		setup := TunnelSetup{Peer: payTunnel, Start: time.Now(), TLSVersion: "1.3", TLSCipher: "TLS_AES_256_GCM_SHA384"}
		pass(p.acquire / 4)
		setup.Connected = time.Now()
		pass(p.acquire / 2)
		setup.Secured = time.Now()
		pass(p.acquire / 4)
		setup.End = time.Now()
		p.setupTrace, p.setupSpan = p.a.ConnectionSetup(setup)
		m.Link(acquire, p.setupTrace, p.setupSpan)
	}
	p.out.PoolHit = p.acquire == 0
	m.End(acquire)
	p.series[0] = p.a.Opened(p.out)
	p.counters[0].LiveReceived, p.counters[0].LiveSent = p.series[0].Received(), p.series[0].Sent()
	p.connect = m.Begin(messages.SpanConnect, p.tunnel)
}

// serve is the inbound chain up to its answer, which it returns.
func (p *play) serve() (keep bool) {
	parent, state := p.a.Outgoing(p.out)
	pass(200 * time.Microsecond)
	p.in = inboundRecord()
	p.b.StartStream(p.in)
	p.b.Join(p.in, parent, []string{state}, true)
	m := &p.in.Recorder
	root := m.Begin(messages.SpanConnect, messages.NoSpan)
	stage(m, messages.SpanAccept, root, 50*time.Microsecond)
	stage(m, messages.SpanClassify, root, 70*time.Microsecond)
	p.series[1] = p.b.Opened(p.in)
	authorize := m.Begin(messages.SpanAuthorize, root)
	pass(40 * time.Microsecond)
	p.in.Verdict = p.verdict
	if p.verdict != nil {
		p.b.PolicyDecisions(p.in, authorize, p.verdict)
	}
	if p.verdict != nil && !p.verdict.Allowed {
		p.in.Failure = messages.Fail(messages.ReasonPolicyDenied, "connection closed due to policy rejection: "+p.verdict.Text)
		m.Fail(authorize, messages.ReasonPolicyDenied)
	} else {
		m.End(authorize)
		tunnel := m.Begin(messages.SpanTunnel, root)
		dial := m.Begin(messages.SpanDial, tunnel)
		pass(300 * time.Microsecond)
		p.in.Failure = p.dialFailure
		m.Fail(dial, p.in.Reason())
		m.Fail(tunnel, p.in.Reason())
	}
	keep = p.b.WantsKeep(p.in)
	p.b.SetupEnded(p.in)
	if p.in.Failure != nil {
		p.b.Closed(p.in, p.series[1], &p.counters[1])
	}
	pass(200 * time.Microsecond)
	return keep
}

// answered is the outbound chain's end.
func (p *play) answered(keep bool) {
	if keep {
		p.a.KeepTold(p.out, KeepValue)
	}
	switch p.in.Reason() {
	case messages.ReasonNone:
	case messages.ReasonPolicyDenied:
		p.out.Failure = messages.Fail(messages.ReasonPolicyDeniedByPeer, "http status: 401 Unauthorized")
	default:
		p.out.Failure = messages.Fail(messages.ReasonPeerRefused, "http status: 503 Service Unavailable")
		p.out.Attr(p.connect, messages.IntAttr(messages.AttrHTTPStatus, 503))
	}
	p.out.Fail(p.connect, p.out.Reason())
	p.out.Fail(p.tunnel, p.out.Reason())
	p.a.SetupEnded(p.out)
	if p.out.Failure != nil {
		p.a.Closed(p.out, p.series[0], &p.counters[0])
		return
	}
	p.a.Follow(p.out, &p.counters[0])
}

// live lets the established connection live for d.
func (p *play) live(d time.Duration) {
	for i := range p.counters {
		p.counters[i].AddReceived(84)
		p.counters[i].AddSent(358)
	}
	pass(d)
	p.out.ClosedBy, p.in.ClosedBy = "client", "client"
	p.a.Closed(p.out, p.series[0], &p.counters[0])
	p.b.Closed(p.in, p.series[1], &p.counters[1])
}

func stage(m *messages.Recorder, name messages.SpanName, parent messages.SpanRef, d time.Duration) {
	s := m.Begin(name, parent)
	pass(d)
	m.End(s)
}

func TestGoldenTraces(t *testing.T) {
	denied := &messages.Verdict{Policy: denyPolicy, Rule: 0, Text: "explicitly denied by: shop/deny-cart", Decisions: []messages.Decision{
		{Policy: denyPolicy, Rule: 0, Field: "principals", Text: "deny policy match"},
	}}
	dry := *denyPolicy
	dry.DryRun = true
	dryRun := &messages.Verdict{Allowed: true, Rule: -1, DryRunDenied: true, Decisions: []messages.Decision{
		{Policy: &dry, Rule: 0, Field: "namespaces", Text: "dry-run: deny policy match"}, {Rule: -1, Text: "no allow policies, allow"},
	}}
	tests := []struct {
		name  string
		ratio float64
		play  *play
		live  time.Duration
	}{
		{"allow", 1, &play{acquire: 2 * time.Millisecond}, 90 * time.Millisecond},
		{"pool-hit", 1, &play{}, 15 * time.Millisecond},
		{"long", 1, &play{}, 5 * time.Minute},
		{"deny-unsampled", 0, &play{verdict: denied}, 0},
		{"refused-unsampled", 0, &play{dialFailure: messages.Fail(messages.ReasonConnectionRefused, "connection failed: Connection refused (os error 111)")}, 0},
		{"dry-run-unsampled", 0, &play{verdict: dryRun}, time.Millisecond},
		{"slow-unsampled", 0, &play{acquire: 1200 * time.Millisecond}, time.Millisecond},
		{"nothing-unsampled", 0, &play{}, time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var normal, timed strings.Builder
				normalTree, timedTree := NewTree(&normal), NewTree(&timed)
				normalTree.Normal = true
				node := func(name string, seed uint64) *testNode {
					return newNode(t, nodeOptions{
						name: name, ratio: tt.ratio, tree: normalTree,
						provider:  ProviderOptions{Direct: []Exporter{timedTree}},
						telemetry: Options{Seed: &[2]uint64{seed, 1}},
					})
				}
				p := tt.play
				p.a, p.b = node("node-a", 1), node("node-b", 2)
				p.enter()
				p.answered(p.serve())
				if p.out.Failure == nil {
					p.live(tt.live)
				}
				checkSpans(t, append(p.a.exported(t), p.b.exported(t)...))
				for _, tree := range []*Tree{normalTree, timedTree} {
					if err := tree.PrintAll(); err != nil {
						t.Fatal(err)
					}
				}
				golden(t, tt.name+".txt", timed.String())
				golden(t, tt.name+".normal.txt", normal.String())
			})
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got\n%s\nwant\n%s", path, got, want)
	}
}
