package resolver

import (
	"os"
	"slices"
	"strings"
	"testing"
)

const hostsText = `# a comment
127.0.0.1 localhost
10.0.0.1   one.com  uno   # and another
nonsense two.com
10.0.0.2
2001:db8::1 ONE.com
::ffff:10.0.0.3 three.com
`

func TestReadHosts(t *testing.T) {
	for host, want := range map[string][]string{
		"one.com": {"10.0.0.1", "2001:db8::1"}, "uno": {"10.0.0.1"}, "two.com": nil, "three.com": {"10.0.0.3"}, "10.0.0.2": nil, "another": nil,
	} {
		if got := readHosts(strings.NewReader(hostsText), host); !slices.Equal(got, addrs(want...)) {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
}

func TestHostsComeFirst(t *testing.T) {
	file := noHosts(t)
	if err := os.WriteFile(file, []byte(hostsText), 0o600); err != nil {
		t.Fatal(err)
	}
	got, ttl, err := New(Config{HostsFile: file}).Resolve(t.Context(), "one.com.")
	if err != nil || len(got) != 2 || ttl != hostsTTL {
		t.Errorf("got %v for %v, %v", got, ttl, err)
	}
}

func FuzzReadHosts(f *testing.F) {
	f.Add(hostsText, "one.com")
	f.Fuzz(func(_ *testing.T, text, host string) { readHosts(strings.NewReader(text), host) })
}
