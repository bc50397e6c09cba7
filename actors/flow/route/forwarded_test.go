package route_test

import (
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/actors/flow/route"
)

func TestForwardedHost(t *testing.T) {
	for in, want := range map[string]string{
		"by=identifier;for=identifier;host=example.com;proto=https":   "example.com",
		`by=identifier;for=identifier;host="example.com";proto=https`: "example.com",
		`for="[::1]:80"; host=example.com`:                            "example.com",
		"by=identifier;for=identifier;proto=https":                    "",
		"by=identifier;for=identifier;host=;host=late.com":            "",
		`host=""`:                               "",
		`for=for;by=by;host=host;proto="pröto"`: "",
		"Host=example.com":                      "",
		"for=a,host=example.com":                "",
		"host=a,b;host=c":                       "a,b",
		"host=a\x00b":                           "",
		"":                                      "",
	} {
		if got := route.ForwardedHost(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestFormatForwarded(t *testing.T) {
	for _, tc := range []struct{ src, host, want string }{
		{"127.0.0.1:80", "", `for="127.0.0.1:80"`},
		{"[::1]:80", "", `for="[::1]:80"`},
		{"127.0.0.1:80", "example.com", `for="127.0.0.1:80";host=example.com`},
	} {
		got := route.FormatForwarded(netip.MustParseAddrPort(tc.src), tc.host)
		if got != tc.want {
			t.Errorf("got %s, want %s", got, tc.want)
		}
		if host := route.ForwardedHost(got); host != tc.host {
			t.Errorf("%s is read back as %q", got, host)
		}
	}
}

func FuzzForwardedHost(f *testing.F) {
	f.Add(`for="[::1]:80";host="example.com"`)
	f.Add("host=")
	f.Fuzz(func(t *testing.T, s string) {
		for _, c := range []byte(route.ForwardedHost(s)) {
			if c >= 0x7f || c < ' ' && c != '\t' {
				t.Fatalf("%q yields an unprintable host", s)
			}
		}
	})
}
