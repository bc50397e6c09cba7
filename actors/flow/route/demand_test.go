package route_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/messages"
)

// TestOnDemand is spec/dataplane.md §2.4 and §2.6: what the stores lack is looked up before the way is decided, once.
func TestOnDemand(t *testing.T) {
	pod := func(change ...func(*messages.Workload)) *messages.Workload {
		return workload("cluster1//v1/Pod/ns/test", []string{"127.0.0.2"}, append(change, hbone)...)
	}
	waypointPod := workload("wp", []string{"127.0.0.9"})
	for _, tc := range []struct {
		name     string
		network  string // the source's, where it is not ours
		things   []any
		later    map[string]any
		want     string
		demanded []string
	}{
		{
			"a workload that arrives", "", nil,
			map[string]any{"/127.0.0.2": pod()},
			"HBONE 127.0.0.2:15008 127.0.0.2:80 Direct",
			[]string{"/127.0.0.2"},
		},
		{
			"a service that arrives without endpoints", "", nil,
			map[string]any{"/127.0.0.2": service("/x.com", []string{"127.0.0.2"}, messages.PortMap{80: 80})},
			"deny no healthy upstream: 127.0.0.2:80",
			[]string{"/127.0.0.2"},
		},
		{"nothing arrives", "", nil, nil, "TCP 127.0.0.2:80 - Passthrough", []string{"/127.0.0.2"}},
		{"what is known is not asked for", "", []any{pod()}, nil, "HBONE 127.0.0.2:15008 127.0.0.2:80 Direct", nil},
		{
			"a waypoint by address that arrives", "",
			[]any{pod(withWaypoint("127.0.0.9"))},
			map[string]any{"/127.0.0.9": waypointPod},
			"HBONE 127.0.0.9:15008 127.0.0.2:80 ToServerWaypoint",
			[]string{"/127.0.0.9"},
		},
		{
			"a waypoint by host name that arrives as a workload", "",
			[]any{pod(withWaypoint("ns/wp.com"))},
			map[string]any{"ns/wp.com": workload("wp", []string{"127.0.0.9"}, named("wp.com"), func(w *messages.Workload) { w.Namespace = "ns" })},
			"HBONE 127.0.0.9:15008 127.0.0.2:80 ToServerWaypoint",
			[]string{"ns/wp.com"},
		},
		{
			"a waypoint that does not arrive denies", "",
			[]any{pod(withWaypoint("ns/wp.com"))},
			nil,
			"deny unknown waypoint: waypoint wp.com not found",
			[]string{"ns/wp.com"},
		},
		{
			"a service's waypoint is not looked up", "",
			[]any{service("/x.com", []string{"127.0.0.2"}, messages.PortMap{80: 80}, guarded("ns/wp.com"))},
			nil,
			"deny unknown waypoint: waypoint wp.com not found", nil,
		},
		{
			"a workload and then its waypoint", "", nil,
			map[string]any{"/127.0.0.2": pod(withWaypoint("127.0.0.9")), "/127.0.0.9": waypointPod},
			"HBONE 127.0.0.9:15008 127.0.0.2:80 ToServerWaypoint",
			[]string{"/127.0.0.2", "/127.0.0.9"},
		},
		{
			"on our network and then on the source's", "theirs", nil,
			map[string]any{"theirs/127.0.0.2": pod(onNetwork("theirs"))},
			"HBONE 127.0.0.2:15008 127.0.0.2:80 Direct",
			[]string{"/127.0.0.2", "theirs/127.0.0.2"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, append(neighbours(), tc.things...)...)
			w.later = tc.later
			o := outbound("127.0.0.1", "127.0.0.2:80")
			if o.OnDemand = true; tc.network != "" {
				source := *o.Source
				source.Network, o.Source = tc.network, &source
			}
			if got := way(w.run(o)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if !slices.Equal(w.demanded, tc.demanded) {
				t.Errorf("demanded %q, want %q", w.demanded, tc.demanded)
			}
		})
	}
}

// TestOnDemandIsOff asks nobody but the stores.
func TestOnDemandIsOff(t *testing.T) {
	w := newWorld(t, neighbours()...)
	if w.run(outbound("127.0.0.1", "1.2.3.4:80")); len(w.demanded) != 0 {
		t.Errorf("demanded %q", w.demanded)
	}
}

// TestOnDemandInbound is spec/dataplane.md §4.6 and §5: the peer and an authority that nobody has are looked up.
func TestOnDemandInbound(t *testing.T) {
	const stranger, foreign = "10.0.0.77", "10.0.0.78"
	guest := workload("guest", []string{stranger})
	for _, tc := range []struct {
		name           string
		src, authority string
		later          map[string]any
		source         *messages.Workload
		deny           string
		demanded       []string
	}{
		{"a peer that arrives", stranger, serverPod + ":80", map[string]any{"/" + stranger: guest}, guest, "", []string{"/" + stranger}},
		{"a peer that does not", stranger, serverPod + ":80", nil, nil, "", []string{"/" + stranger}},
		{
			"an authority that nobody has", stranger, foreign + ":80",
			map[string]any{"/" + stranger: guest},
			nil,
			"ip mismatch: " + serverPod + " != " + foreign,
			[]string{"/" + stranger, "/" + foreign},
		},
		{
			"an authority whose waypoint we are", stranger, foreign + ":80",
			map[string]any{"/" + foreign: workload("far", []string{foreign}, withWaypoint(serverPod))},
			nil, "",
			[]string{"/" + stranger, "/" + foreign},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := inboundWorld(t, attachment{})
			w.later = tc.later
			step := w.run(w.inbound(serverPod, tc.authority, func(i *route.Inbound) {
				i.Src, i.OnDemand = netip.MustParseAddrPort(tc.src+":1"), true
			}))
			switch {
			case tc.deny != "":
				if step.Deny == nil || step.Deny.Text != tc.deny {
					t.Errorf("step %+v, want %q", step, tc.deny)
				}
			case step.Inbound == nil:
				t.Errorf("step %+v", step)
			case step.Inbound.Source != tc.source:
				t.Errorf("source %v, want %v", step.Inbound.Source, tc.source)
			}
			if !slices.Equal(w.demanded, tc.demanded) {
				t.Errorf("demanded %q, want %q", w.demanded, tc.demanded)
			}
		})
	}
}
