package xds

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/wire/discovery"
)

func batch(items map[string]string, rejected, removed []string) *Batch {
	b := &Batch{Kind: Addresses, TypeURL: Addresses.TypeURL(), Nonce: "n", Removed: removed}
	for _, name := range slices.Sorted(maps.Keys(items)) {
		b.Items = append(b.Items, Item{Name: name, Version: items[name], Workload: &messages.WorkloadUpdate{}})
	}
	for _, name := range rejected {
		b.Rejected = append(b.Rejected, Reject{Name: name, Reason: errors.New("bad")})
	}
	return b
}

func TestInitialRequests(t *testing.T) {
	node := &discovery.Node{Id: "ztunnel~1.1.1.1~a.b~b.svc.cluster.local"}
	everything := NewSession(node, NewLedger(), false).Initial()
	if len(everything) != 2 || everything[0].TypeUrl != Addresses.TypeURL() || everything[1].TypeUrl != Authorizations.TypeURL() {
		t.Fatalf("%v", everything)
	}
	for _, r := range everything {
		if r.Node != node || len(r.ResourceNamesSubscribe)+len(r.ResourceNamesUnsubscribe)+len(r.InitialResourceVersions) > 0 {
			t.Errorf("%v", r)
		}
	}
	named := NewSession(node, NewLedger(), true).Initial()
	if !slices.Equal(named[0].ResourceNamesSubscribe, []string{"*"}) || !slices.Equal(named[0].ResourceNamesUnsubscribe, []string{"*"}) {
		t.Errorf("on demand: %v", named[0])
	}
	if len(named[1].ResourceNamesSubscribe)+len(named[1].ResourceNamesUnsubscribe) > 0 {
		t.Errorf("on demand, policies: %v", named[1])
	}
}

func TestAcknowledge(t *testing.T) {
	s := NewSession(nil, NewLedger(), false)
	ack := s.Acknowledge(batch(map[string]string{"a": "1"}, nil, nil))
	if want := (&discovery.DeltaDiscoveryRequest{TypeUrl: Addresses.TypeURL(), ResponseNonce: "n"}); !proto.Equal(ack, want) {
		t.Errorf("ACK %v, want %v", ack, want)
	}
	nack := s.Acknowledge(batch(nil, []string{"a", "b"}, nil))
	if nack.ErrorDetail.GetMessage() != "a: bad; b: bad" || nack.ErrorDetail.GetCode() != 0 || nack.ResponseNonce != "n" {
		t.Errorf("NACK %v", nack)
	}
	if got := s.Acknowledge(&Batch{Kind: unknownKind, TypeURL: "other", Nonce: "7"}); got.TypeUrl != "other" || got.ErrorDetail != nil {
		t.Errorf("of an unknown type: %v", got)
	}
}

// A NACK of a whole mesh still fits a request, and is text.
func TestComplaintIsBounded(t *testing.T) {
	var many []Reject
	for i := range 100_000 {
		many = append(many, Reject{Name: fmt.Sprint("cluster1//Pod/ns/", i), Reason: errors.New("bad")})
	}
	got := Complaint(many)
	if len(got) > maxNack+100 || !strings.HasPrefix(got, "cluster1//Pod/ns/0: bad; ") || !strings.Contains(got, " more") {
		t.Errorf("%d bytes: %q … %q", len(got), got[:40], got[len(got)-40:])
	}
	got = Complaint([]Reject{{Name: strings.Repeat("ü", maxNack), Reason: errors.New("\xff")}})
	if len(got) > maxNack || !utf8.ValidString(got) {
		t.Errorf("%d bytes, valid %v", len(got), utf8.ValidString(got))
	}
}

// What is echoed is what was done: not what was rejected, not what was removed, and of what was rejected later the version
// before (the reference's test_reconnect_echoes_retained_versions).
func TestLedger(t *testing.T) {
	l := NewLedger()
	echo := func() map[string]string { return NewSession(nil, l, false).Initial()[0].InitialResourceVersions }
	want := func(w map[string]string) {
		t.Helper()
		if got := echo(); !maps.Equal(got, w) {
			t.Errorf("echoes %v, want %v", got, w)
		}
		size := 0
		for name, version := range w {
			size += len(name) + len(version) + entryOverhead
		}
		if l.size[Addresses] != size {
			t.Errorf("size %d, want %d", l.size[Addresses], size)
		}
	}
	want(map[string]string{})
	l.Apply(batch(map[string]string{"good": "1"}, []string{"bad"}, nil))
	want(map[string]string{"good": "1"})
	if l.Acknowledged(Addresses) {
		t.Error("a NACKed response makes the state warm")
	}
	l.Apply(batch(map[string]string{"other": "1", "both": "1"}, []string{"good"}, []string{"both", "never"}))
	want(map[string]string{"good": "1", "other": "1"})
	l.Apply(batch(map[string]string{"good": "2"}, nil, []string{"other"}))
	want(map[string]string{"good": "2"})
	if !l.Acknowledged(Addresses) || l.Acknowledged(Authorizations) {
		t.Error("an ACKed response makes its kind warm, and no other")
	}
	sent := echo()
	l.Apply(batch(map[string]string{"later": "1"}, nil, nil))
	if len(sent) != 1 {
		t.Error("a request that was made changes")
	}
}

// A mesh that does not fit a request is not echoed; what the whole answer then lacks has gone. What was rejected is there.
func TestTooMuchToEcho(t *testing.T) {
	l := NewLedger()
	items := map[string]string{}
	for i := range maxEcho / 50 {
		items[fmt.Sprintf("cluster1//Pod/namespace/%032d", i)] = "0123456789abcdef"
	}
	l.Apply(batch(items, nil, nil))
	s := NewSession(&discovery.Node{Id: "x"}, l, false)
	initial := s.Initial()
	if len(initial[0].InitialResourceVersions) > 0 {
		t.Fatal("it was echoed")
	}
	kept, gone := fmt.Sprintf("cluster1//Pod/namespace/%032d", 1), fmt.Sprintf("cluster1//Pod/namespace/%032d", 2)
	delete(items, gone)
	delete(items, kept)
	b := batch(items, []string{kept}, nil)
	s.Complete(b)
	if !slices.Equal(b.Removed, []string{gone}) {
		t.Errorf("removed %q, want %q", b.Removed, gone)
	}
	next := batch(map[string]string{"new": "1"}, nil, nil)
	if s.Complete(next); len(next.Removed) > 0 {
		t.Errorf("a later response removed %d", len(next.Removed))
	}
}

// What fits is below what istiod takes.
func TestEchoFitsARequest(t *testing.T) {
	l := NewLedger()
	for i := 0; l.size[Addresses] < maxEcho-200; i++ {
		l.set(Addresses, fmt.Sprintf("cluster1//Pod/a-namespace-of-a-longer-name/%d", i), "0123456789abcdef")
	}
	r := NewSession(&discovery.Node{Id: "x"}, l, false).Initial()[0]
	if len(r.InitialResourceVersions) == 0 {
		t.Fatal("it was not echoed")
	}
	if n := proto.Size(r); n > 4<<20 || n < maxEcho*8/10 {
		t.Errorf("%d bytes", n)
	}
}
