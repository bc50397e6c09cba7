package route_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/actors/flow/route"
	"github.com/troupe-mesh/troupe/messages"
)

func TestParseAuthority(t *testing.T) {
	addr := func(s string) messages.HostPort { return messages.AddrHostPort(netip.MustParseAddrPort(s)) }
	for in, want := range map[string]messages.HostPort{
		"10.0.0.1:80":            addr("10.0.0.1:80"),
		"[2001:db8::1]:80":       addr("[2001:db8::1]:80"),
		"[::ffff:10.0.0.1]:80":   addr("[::ffff:10.0.0.1]:80"),
		"10.0.0.1:0":             addr("10.0.0.1:0"),
		"Example.com:8080":       {Host: "Example.com", Port: 8080},
		"*.example.com:1":        {Host: "*.example.com", Port: 1},
		"a_b-c.example.com:1":    {Host: "a_b-c.example.com", Port: 1},
		"10.0.0.1.example.com:1": {Host: "10.0.0.1.example.com", Port: 1},
		"10.0.0.256:80":          {Host: "10.0.0.256", Port: 80},
	} {
		if got, err := route.ParseAuthority(in); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", ":", ":80", "host", "host:", "host:port", "host:-1", "host:+1", "host:65536", "10.0.0.1", "2001:db8::1:80",
		"[2001:db8::1]", "[2001:db8::1%eth0]:80", "user@host:80", "host/path:80", "ho st:80", "host\n:80", "höst:80", "[host]:80",
	} {
		got, err := route.ParseAuthority(in)
		var f *messages.Failure
		if !errors.As(err, &f) {
			t.Errorf("%q: %v, %v; want a failure", in, got, err)
			continue
		}
		if f.Reason != messages.ReasonInvalidRequest || f.Text != "no valid authority pseudo header: "+in || !got.IsZero() {
			t.Errorf("%q: %+v", in, f)
		}
	}
}

func FuzzParseAuthority(f *testing.F) {
	for _, s := range []string{"10.0.0.1:80", "[::1]:80", "host:80", "[::ffff:1.2.3.4]:1", "a:b:c", "[x]:1", "::1:80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := route.ParseAuthority(s)
		if err != nil {
			if !h.IsZero() {
				t.Fatalf("%q: %v and %v", s, h, err)
			}
			return
		}
		again, err := route.ParseAuthority(h.String())
		if err != nil || again != h {
			t.Fatalf("%q: %v is read back as %v, %v", s, h, again, err)
		}
		if h.Addr.IsValid() == (h.Host != "") {
			t.Fatalf("%q: %+v is neither address nor name, or both", s, h)
		}
	})
}
