package messages

import (
	"slices"
	"testing"
)

func TestExpansions(t *testing.T) {
	q := HostQuestion{Namespace: "ns1", Domain: "cluster.local"}
	for _, test := range []struct {
		host string
		want []string
	}{
		{"name", []string{"name.ns1.svc.cluster.local"}},
		{"name.", []string{"name.ns1.svc.cluster.local"}},
		{"name.ns2", []string{"name.ns2.svc.cluster.local", "name.ns2.ns1.svc.cluster.local"}},
		{"name.ns2.svc.", []string{"name.ns2.svc.cluster.local", "name.ns2.svc.svc.cluster.local"}},
		{"name.ns2.not-svc.", []string{"name.ns2.not-svc.svc.cluster.local"}},
		{"pod.sub-domain.ns.svc", []string{"pod.sub-domain.ns.svc.cluster.local"}},
		{"pod.sub-domain.ns.not-svc", nil},
		{"name.ns2.svc.cluster.", nil},
		{"name.ns2.svc.cluster.local", nil},
		{"www.example.com.", []string{"www.example.com.svc.cluster.local"}},
	} {
		var got []string
		for _, full := range q.Expansions(CanonicalHost(test.host)) {
			if full != "" {
				got = append(got, full)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("Expansions(%q) = %q, want %q", test.host, got, test.want)
		}
	}
}

func TestAliases(t *testing.T) {
	search := []string{"ns1.svc.cluster.local", "svc.cluster.local", "cluster.local"}
	for _, test := range []struct {
		name   string
		search []string
		want   []Alias
	}{
		{"www.example.com", search, []Alias{{Name: "www.example.com"}, {Name: "www.example.com.svc.cluster.local"}}},
		{"cart.ns1.svc.cluster.local", search, []Alias{
			{Name: "cart.ns1.svc.cluster.local"},
			{"cart", "cart"},
			{"cart.ns1.svc.cluster.local", "cart"},
			{"cart.ns1", "cart.ns1"},
			{"cart.ns1.svc.cluster.local", "cart.ns1"},
			{"cart.ns1.ns1.svc.cluster.local", "cart.ns1"},
			{"cart.ns1.svc", "cart.ns1.svc"},
			{"cart.ns1.svc.cluster.local", "cart.ns1.svc"},
			{"cart.ns1.svc.svc.cluster.local", "cart.ns1.svc"},
		}},
		{"svc.cluster.local", []string{"svc.cluster.local", "*.local", "*", ""}, []Alias{
			{Name: "svc.cluster.local"}, {Name: "svc.cluster.local.svc.cluster.local"},
		}},
		{"xsvc.cluster.local", []string{"svc.cluster.local"}, []Alias{
			{Name: "xsvc.cluster.local"}, {Name: "xsvc.cluster.local.svc.cluster.local"},
		}},
	} {
		q := HostQuestion{Name: test.name, Namespace: "ns1", Domain: "cluster.local", Search: test.search}
		if got := slices.Collect(q.Aliases); !slices.Equal(got, test.want) {
			t.Errorf("aliases of %s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestAliasesEndWhenTold(t *testing.T) {
	q := HostQuestion{Name: "a.b.svc.d", Namespace: "n", Domain: "d", Search: []string{"svc.d", "d"}}
	all := slices.Collect(q.Aliases)
	for most := 1; most <= len(all); most++ {
		seen := 0
		q.Aliases(func(Alias) bool { seen++; return seen < most })
		if seen != most {
			t.Errorf("visited %d aliases, told to end after %d", seen, most)
		}
	}
}

func TestTrimDomain(t *testing.T) {
	for _, test := range []struct {
		name, domain, want string
		ok                 bool
	}{
		{"name.ns.svc.cluster.local", "svc.cluster.local", "name.ns", true},
		{"name.ns.a.different.domain", "svc.cluster.local", "", false},
		{"cluster.com", "svc.cluster.local", "", false},
		{"svc.cluster.local", "svc.cluster.local", "", false},
		{".svc.cluster.local", "svc.cluster.local", "", false},
	} {
		if got, ok := trimDomain(test.name, test.domain); got != test.want || ok != test.ok {
			t.Errorf("trimDomain(%q, %q) = %q, %v; want %q, %v", test.name, test.domain, got, ok, test.want, test.ok)
		}
	}
}

func TestWildcards(t *testing.T) {
	for _, test := range []struct {
		name string
		want []string
	}{
		{"svc1", []string{"svc1"}},
		{"svc1.ns1.svc.cluster.local", []string{
			"svc1.ns1.svc.cluster.local", "*.ns1.svc.cluster.local", "*.svc.cluster.local", "*.cluster.local", "*.local",
		}},
	} {
		var got []string
		Wildcards(test.name, func(host []byte, wildcard bool) bool {
			if wildcard != (len(got) > 0) {
				t.Errorf("%s: wildcard is %v", host, wildcard)
			}
			got = append(got, string(host))
			return true
		})
		if !slices.Equal(got, test.want) {
			t.Errorf("Wildcards(%q): %q, want %q", test.name, got, test.want)
		}
	}
}
