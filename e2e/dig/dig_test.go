package dig

import (
	"slices"
	"strings"
	"testing"
)

// records are the record lines of a client's output, with single spaces; TTLs of forwarded records vary and are left out.
func records(out string) (all []string) {
	for line := range strings.Lines(out) {
		words := strings.Fields(line)
		if len(words) < 5 || strings.HasPrefix(line, ";") || words[2] != "IN" {
			continue
		}
		all = append(all, strings.Join(append(words[:1:1], words[3:]...), " "))
	}
	slices.Sort(all)
	return all
}

// cases are what both clients ask.
var cases = []struct {
	name   string
	args   []string
	status string
	want   []string
}{
	{"a name of the mesh", []string{"cart.default.svc.cluster.local", "A"}, "NOERROR", []string{"cart.default.svc.cluster.local. A 10.96.0.7"}},
	{"over TCP", []string{"+tcp", "cart.default.svc.cluster.local", "A"}, "NOERROR", []string{"cart.default.svc.cluster.local. A 10.96.0.7"}},
	{"short", []string{"cart.default", "A"}, "NOERROR", []string{"cart.default. A 10.96.0.7"}},
	{"mixed case", []string{"CaRt.DeFaUlT.svc.cluster.local", "A"}, "NOERROR", []string{"cart.default.svc.cluster.local. A 10.96.0.7"}},
	{"with the search domain of another", []string{"dual.example.com.default.svc.cluster.local", "A"}, "NOERROR", []string{
		"dual.example.com. A 10.96.0.8", "dual.example.com.default.svc.cluster.local. CNAME dual.example.com.",
	}},
	{"IPv6", []string{"dual.example.com", "AAAA"}, "NOERROR", []string{"dual.example.com. AAAA fd00:96::8"}},
	{"no IPv6", []string{"cart.default.svc.cluster.local", "AAAA"}, "NOERROR", nil},
	{"a wildcard", []string{"a.b.wild.example.com", "A"}, "NOERROR", []string{"a.b.wild.example.com. A 10.96.0.9"}},
	{"headless", []string{"db.default.svc.cluster.local", "A"}, "NOERROR", []string{"db.default.svc.cluster.local. A 10.77.0.1"}},
	{"outside", []string{"www.outside.com", "A"}, "NOERROR", []string{"outside.com. A 192.0.2.1", "www.outside.com. CNAME outside.com."}},
	{"another type", []string{"outside.com", "MX"}, "NOERROR", []string{"outside.com. MX 10 mail.outside.com."}},
	{"text", []string{"outside.com", "TXT"}, "NOERROR", []string{`outside.com. TXT "words"`}},
	{"nobody", []string{"nobody.outside.com", "A"}, "NXDOMAIN", []string{
		"outside.com. SOA ns.outside.com. admin.outside.com. 1 1 1 1 300",
	}},
	{"no such record", []string{"outside.com", "AAAA"}, "NOERROR", []string{
		"outside.com. SOA ns.outside.com. admin.outside.com. 1 1 1 1 300",
	}},
	{"localhost", []string{"localhost", "A"}, "NOERROR", []string{"localhost. A 127.0.0.1"}},
}

func TestClients(t *testing.T) {
	for _, name := range []string{"dig", "kdig"} {
		t.Run(name, func(t *testing.T) {
			path := client(t, name)
			w := newWorld(t, nil)
			server := "@" + w.server.IPv4.String() // redirected to the proxy
			for range 2 {                          // from the name server, and from the cache
				for _, c := range cases {
					out := w.run(path, append([]string{server, "+timeout=15", "+retry=0"}, c.args...)...)
					if got := records(out); !slices.Equal(got, c.want) || !strings.Contains(out, "status: "+c.status) {
						t.Errorf("%s: %q, want %s %q\n%s", c.name, got, c.status, c.want, out)
					}
					for _, bad := range []string{";; WARNING: recursion requested but not available", "Question section mismatch", "malformed", "Warning: query response not set"} {
						if strings.Contains(out, bad) && c.status == "NOERROR" && len(c.want) > 0 && !strings.Contains(out, "SOA") {
							t.Errorf("%s: %s\n%s", c.name, bad, out)
						}
					}
				}
			}
			if n := w.asked.Load(); n > 8 {
				t.Errorf("the name server was asked %d times for 6 names", n)
			}
			out := w.run(path, server, "+bufsize=512", "+ignore", "many.outside.com", "A")
			if flags := flagsOf(out); !slices.Contains(flags, "tc") {
				t.Errorf("a long answer in little room is not cut: %q\n%s", flags, out)
			}
			if out = w.run(path, server, "+bufsize=512", "many.outside.com", "A"); len(records(out)) != 100 {
				t.Errorf("over TCP after that: %d records\n%s", len(records(out)), out)
			}
		})
	}
}

// flagsOf are the flags that a client shows.
func flagsOf(out string) []string {
	_, after, _ := strings.Cut(strings.ToLower(out), "flags: ")
	flags, _, _ := strings.Cut(after, ";")
	return strings.Fields(flags)
}

func TestPodWithoutIPv6(t *testing.T) {
	path := client(t, "dig")
	w := newWorld(t, map[string]string{"IPV6_ENABLED": "false"})
	out := w.run(path, "@"+w.server.IPv4.String(), "dual.example.com", "AAAA")
	if got := records(out); len(got) != 0 || !strings.Contains(out, "status: NOERROR") {
		t.Errorf("IPv6 addresses are told where IPv6 is off: %q\n%s", got, out)
	}
}
