package handover

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/troupe-mesh/troupe/messages"
)

// plainLeg is an inbound connection in the middle of its life, with all that changes hands.
func plainLeg() messages.Leg {
	local := &messages.Workload{
		UID: "u", Name: "cart-1", Namespace: "shop", ServiceAccount: "cart", TrustDomain: "td", CanonicalName: "cart",
		AuthorizationPolicies: []string{"shop/p"}, ClusterID: "c", Locality: messages.Locality{Region: "r"},
	}
	src, dst := netip.MustParseAddrPort("10.0.0.1:1234"), netip.MustParseAddrPort("[fd00::2]:80")
	l := messages.Leg{Entrance: messages.EntrancePlaintext, Received: 7, Sent: 1 << 40, At: messages.Halfway{
		ToUpstream: messages.Held{Ended: true}, ClosedBy: "client",
	}}
	l.Record = messages.Record{
		Direction: messages.Inbound, Mode: messages.ModePlaintext, Src: src, Dst: dst, OriginalDst: dst, Destination: local,
		Service: &messages.Service{Name: "cart", Namespace: "shop", Hostname: "cart.shop"},
	}
	l.Record.Start = time.Unix(1_700_000_000, 5).UTC()
	l.Record.TraceID, l.Record.RootID = messages.TraceID{1, 2}, messages.SpanID{3}
	l.Record.Sampled = true
	l.Registered = messages.RegisterConnection{
		Direction: messages.Inbound, Local: local, Src: src, ActualDst: dst, Protocol: "TCP",
		Connection: &messages.Connection{SrcIP: src.Addr(), SrcPort: src.Port(), Dst: dst},
	}
	return l
}

func TestMessagesArriveAsTheyWere(t *testing.T) {
	for name, m := range map[string]*Message{
		"hello":     {Hello: &Hello{Version: Version, Namespace: Namespace{1, 2}, Shared: true}},
		"list pods": {ListPods: &ListPods{}},
		"listener": {Listener: &Listener{
			Pod:       Pod{UID: "u", Info: messages.WorkloadInfo{Name: "cart-1", Namespace: "shop", ServiceAccount: "cart"}},
			Namespace: Namespace{3, 1 << 63}, Address: netip.MustParseAddrPort("[::]:15053"), Packets: true,
		}},
		"listened": {Listened: &Listened{Count: 3}},
		"serves":   {Serves: &Serves{UID: "u", Namespace: Namespace{3, 4}}},
		"serving":  {Serving: &Serving{Count: 1}},
		"leg":      {Leg: &Leg{ID: 9, Pod: "p", Leg: plainLeg(), ToDownstream: messages.MaxHeld}},
		"answer":   {Answer: &Answer{ID: 9, Why: "no room"}},
		"done":     {Done: &Done{Moved: 1, Kept: 2}},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := encode(m)
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode(b)
			if err != nil {
				t.Fatal(err)
			}
			same := func(a, b netip.Addr) bool { return a == b }
			if diff := cmp.Diff(m, got, cmp.Comparer(same), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b }),
				cmpopts.IgnoreUnexported(messages.Recorder{})); diff != "" {
				t.Errorf("(-sent +got):\n%s", diff)
			}
		})
	}
}

func TestTrimmedLegsAreSmall(t *testing.T) {
	l := plainLeg()
	big := *l.Record.Destination
	for range 10_000 {
		big.Services = append(big.Services, messages.NamespacedHostname{Namespace: "n", Hostname: "a.long.host.name.example"})
		big.WorkloadIPs = append(big.WorkloadIPs, netip.MustParseAddr("10.0.0.1"))
	}
	l.Record.Destination, l.Record.Source, l.Registered.Local = &big, &big, &big
	l.At.ToDownstream.Bytes = make([]byte, messages.MaxHeld)
	if b, err := encode(&Message{Leg: &Leg{Leg: trimmed(l)}}); err != nil || len(b) > 8<<10 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if len(big.Services) == 0 || l.At.ToDownstream.Bytes == nil {
		t.Error("it was trimmed in place")
	}
}

// Whatever a value would make us index, allocate or believe is refused.
func TestUnsoundMessagesAreRefused(t *testing.T) {
	changed := func(change func(*Leg)) string {
		leg := &Leg{Leg: plainLeg()}
		change(leg)
		b, err := json.Marshal(&Message{Leg: leg})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, text := range map[string]string{
		"nothing":          `{}`,
		"no object":        `[]`,
		"no JSON":          `hello`,
		"empty":            ``,
		"a long uid":       `{"Serves":{"UID":"` + strings.Repeat("x", maxName+1) + `"}}`,
		"a long name":      `{"Listener":{"Pod":{"Info":{"ServiceAccount":"` + strings.Repeat("x", maxName+1) + `"}}}}`,
		"a long pod":       changed(func(l *Leg) { l.Pod = strings.Repeat("x", maxName+1) }),
		"two messages":     `{"Serving":{},"Done":{}}`,
		"two values":       `{"Serving":{}}{"Serving":{}}`,
		"an unknown one":   `{"Reboot":{}}`,
		"an unknown field": `{"Hello":{"Version":1,"Root":true}}`,
		"too large":        `{"Answer":{"Why":"` + strings.Repeat("x", maxPacket) + `"}}`,
		"too deep":         strings.Repeat("[", 30_000),
		"direction":        changed(func(l *Leg) { l.Leg.Record.Direction = 2 }),
		"other direction":  changed(func(l *Leg) { l.Leg.Registered.Direction = messages.Outbound }),
		"mode":             changed(func(l *Leg) { l.Leg.Record.Mode = 200 }),
		"type":             changed(func(l *Leg) { l.Leg.Record.Type = 200 }),
		"entrance":         changed(func(l *Leg) { l.Leg.Entrance = 200 }),
		"outbound door":    changed(func(l *Leg) { l.Leg.Entrance = messages.EntranceOutbound }),
		"held":             changed(func(l *Leg) { l.ToDownstream = messages.MaxHeld + 1 }),
		"negative":         changed(func(l *Leg) { l.ToDownstream = -1 }),
		"held after end":   changed(func(l *Leg) { l.ToUpstream = 1 }),
		"bytes inside":     changed(func(l *Leg) { l.Leg.At.ToDownstream.Bytes = []byte("x") }),
		"failed":           changed(func(l *Leg) { l.Leg.Record.Failure = &messages.Failure{} }),
		"verdict":          changed(func(l *Leg) { l.Leg.Record.Verdict = &messages.Verdict{} }),
		"protocol":         changed(func(l *Leg) { l.Leg.Record.Destination.Protocol = 9 }),
		"status":           changed(func(l *Leg) { l.Leg.Registered.Local.Status = 9 }),
		"no question":      changed(func(l *Leg) { l.Leg.Registered.Connection = nil }),
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := decode([]byte(text)); err == nil {
				t.Errorf("taken: %+v", m)
			}
		})
	}
	if _, err := encode(&Message{Answer: &Answer{Why: strings.Repeat("x", maxPacket)}}); !errors.Is(err, errTooLarge) {
		t.Errorf("sent: %v", err)
	}
}

// FuzzDecode takes any packet without a panic, and what it takes can be named, counted and sent again.
func FuzzDecode(f *testing.F) {
	for _, m := range []*Message{
		{Hello: &Hello{Version: Version}},
		{Listener: &Listener{Pod: Pod{UID: "u"}, Address: netip.MustParseAddrPort("[::]:15008")}},
		{Serves: &Serves{UID: "u"}},
		{Leg: &Leg{ID: 9, Leg: plainLeg(), ToDownstream: 5}},
		{Answer: &Answer{ID: 1, Why: "x"}},
	} {
		b, err := encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := decode(b)
		if err != nil {
			return
		}
		if n := m.descriptors(); n < 0 || n > maxDescriptors {
			t.Fatalf("%d descriptors", n)
		}
		if m.Leg != nil {
			r := &m.Leg.Leg.Record
			_ = r.Direction.String() + r.Direction.Reporter() + r.Mode.String() + r.Type.String() + m.Leg.Leg.Entrance.String()
			for _, w := range []*messages.Workload{r.Source, r.Destination, m.Leg.Leg.Registered.Local} {
				if w != nil {
					_ = w.Protocol.String() + w.NetworkMode.String() + w.Status.String() + w.String()
				}
			}
			if c := m.Leg.Leg.Registered.Connection; c != nil {
				messages.Evaluate(nil, c)
			}
		}
		_, _ = json.Marshal(m) // what is taken can be written
	})
}
