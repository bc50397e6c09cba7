package forwarded

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestHost(t *testing.T) {
	tests := []struct{ line, want string }{
		// The reference's test_parse_forwarded_host.
		{"by=identifier;for=identifier;host=example.com;proto=https", "example.com"},
		{`by=identifier;for=identifier;host="example.com";proto=https`, "example.com"},
		{"by=identifier;for=identifier;proto=https", ""},
		{"by=identifier;for=identifier;host=;proto=https", ""},
		{`for=for;by=by;host=host;proto="pröto"`, ""},
		// What follows from its rules.
		{"", ""},
		{"host=a", "a"},
		{"for=x; host=a ;host=b", "a"},
		{"host=;host=b", ""},
		{"Host=a", ""},
		{"xhost=a", ""},
		{"for=x,host=a", ""},
		{"host=a,host=b", "a,host=b"},
		{`host=""`, ""},
		{`host="a`, "a"},
		{`host="`, ""},
	}
	for _, tt := range tests {
		if got := Host(tt.line); got != tt.want {
			t.Errorf("the host of %q is %q, want %q", tt.line, got, tt.want)
		}
	}
}

func TestValue(t *testing.T) {
	tests := []struct{ client, host, want string }{ // the reference's build_forwarded
		{"127.0.0.1:80", "", `for="127.0.0.1:80"`},
		{"[::1]:80", "", `for="[::1]:80"`},
		{"127.0.0.1:80", "example.com", `for="127.0.0.1:80";host=example.com`},
	}
	for _, tt := range tests {
		got, err := Value(netip.MustParseAddrPort(tt.client), tt.host)
		if got != tt.want || err != nil {
			t.Errorf("%s, %s gives %q, %v", tt.client, tt.host, got, err)
		}
		if back := Host(got); back != tt.host {
			t.Errorf("%q comes back as %q", tt.host, back)
		}
	}
	var illegal *IllegalHostError
	if v, err := Value(netip.MustParseAddrPort("127.0.0.1:80"), "a\r\nb: c"); v != "" || !errors.As(err, &illegal) {
		t.Errorf("an illegal host gives %q, %v", v, err)
	}
}

func FuzzHost(f *testing.F) {
	f.Add(`for="10.0.0.1:80";host=example.com`)
	f.Add(`host="`)
	client := netip.MustParseAddrPort("[2001:db8::1]:65535")
	f.Fuzz(func(t *testing.T, line string) {
		host := Host(line)
		if strings.Contains(host, ";") || !strings.Contains(line, host) {
			t.Errorf("%q has the host %q", line, host)
		}
		v, err := Value(client, host)
		if err == nil && strings.ContainsAny(v, "\r\n\x00") {
			t.Errorf("%q would break out of its header", v)
		}
		if err == nil && host == strings.TrimSpace(host) && !strings.Contains(host, `"`) && Host(v) != host {
			t.Errorf("%q comes back as %q", host, Host(v))
		}
	})
}
