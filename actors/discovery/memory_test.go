package discovery

import (
	"fmt"
	"slices"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/xds"
)

// told is what the stores are told, as text.
func told(c *changes) []string {
	var said []string
	for _, w := range c.Workloads {
		said = append(said, "+"+w.Workload.UID)
	}
	for _, s := range c.Services {
		said = append(said, "+"+s.Service.Key().String())
	}
	for _, p := range c.Policies {
		said = append(said, "+"+p.Key)
	}
	for _, name := range c.goneServices {
		said = append(said, "-"+name.String())
	}
	for _, key := range append(slices.Clone(c.gonePolicies), c.goneWorkloads...) {
		said = append(said, "-"+key)
	}
	if c.unknown > 0 {
		said = append(said, fmt.Sprint(c.unknown, " unknown"))
	}
	return said
}

func service(name, namespace, hostname string) xds.Item {
	return xds.Item{Name: name, Service: &messages.Service{Namespace: namespace, Hostname: hostname}}
}

// What a batch does to what is held: additions in order, removals by uid, by namespace/hostname or by name, and whatever is
// told twice in one batch as it ends (spec/control.md §2.7, §2.9).
func TestMemory(t *testing.T) {
	m := NewMemory()
	m.base(State{Workloads: workloads(1), Services: []messages.ServiceUpdate{{Service: &messages.Service{Namespace: "ns", Hostname: "local"}}}})
	for i, step := range []struct {
		items   []xds.Item
		removed []string
		want    []string
	}{
		{pods("", "a", "b").Items, nil, []string{"+a", "+b"}},
		{[]xds.Item{service("ns/h", "ns", "h")}, []string{"a"}, []string{"+ns/h", "-a"}},
		{nil, []string{"a", "ns/h", "ns/none", "none", "ns/h/x"}, []string{"-ns/h", "4 unknown"}},
		{nil, []string{"0", "ns/local"}, []string{"-ns/local", "-0"}},
		{pods("", "c", "b", "c").Items, []string{"b"}, []string{"+c", "+c", "-b"}},
		// A resource whose name is not its key goes by its name, and is another when its key is.
		{[]xds.Item{{Name: "n", Workload: &messages.WorkloadUpdate{Workload: &messages.Workload{UID: "x"}}}}, nil, []string{"+x"}},
		{[]xds.Item{{Name: "n", Workload: &messages.WorkloadUpdate{Workload: &messages.Workload{UID: "y"}}}}, nil, []string{"+y", "-x"}},
		{[]xds.Item{service("n", "ns", "z")}, nil, []string{"+ns/z", "-y"}},
		{nil, []string{"n"}, []string{"-ns/z"}},
		{nil, []string{"n"}, []string{"1 unknown"}},
		// Also within a batch: what a name stood for before is not left behind.
		{append(pods("", "t").Items, service("t", "ns", "t")), nil, []string{"+ns/t", "-t"}},
		{append([]xds.Item{service("t", "ns", "u")}, pods("", "t").Items...), []string{"t"}, []string{"-ns/t", "-ns/u", "-t"}},
		// A uid that looks like a service is a workload first.
		{append(pods("", "ns/h").Items, service("other", "ns", "h")), []string{"ns/h"}, []string{"+ns/h", "-ns/h"}},
	} {
		b := &xds.Batch{Kind: xds.Addresses, Items: step.items, Removed: step.removed}
		c := m.apply(b)
		m.ledger.Apply(b)
		if got := told(c); !slices.Equal(got, step.want) {
			t.Errorf("step %d: %q, want %q", i, got, step.want)
		}
	}
	b := rules("", "ns/p", "ns/q")
	b.Removed = []string{"ns/q", "c"}
	if got, want := told(m.apply(b)), []string{"+ns/p", "-ns/q", "1 unknown"}; !slices.Equal(got, want) {
		t.Errorf("policies: %q, want %q", got, want)
	}
	s := m.state()
	if len(s.Workloads) != 1 || s.Workloads[0].Workload.UID != "c" || len(s.Services) != 1 || len(s.Policies) != 1 {
		t.Errorf("held in the end: %+v", s)
	}
}

// A redelivery tells things in the order in which they came, since stores decide ties by it.
func TestMemoryKeepsTheOrder(t *testing.T) {
	m := NewMemory()
	m.base(State{Workloads: workloads(20)})
	m.apply(pods("", "5", "new", "3"))
	var uids []string
	for _, w := range m.state().Workloads {
		uids = append(uids, w.Workload.UID)
	}
	if len(uids) != 21 || uids[0] != "0" || uids[3] != "4" || !slices.Equal(uids[18:], []string{"5", "new", "3"}) {
		t.Errorf("%q", uids)
	}
}
