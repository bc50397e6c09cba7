package logs

import (
	"errors"
	"strings"
	"testing"
)

func TestFilterDecides(t *testing.T) {
	tests := []struct {
		filter, scope string
		want          Level
	}{
		{"info", "access", Info},
		{"", "access", Error},
		{"off", "access", Off},
		{"DeBuG", "access", Debug},
		{"4", "access", Debug},
		{"0", "access", Off},
		{"7", "7x", Trace}, // no level: a target
		{"ztunnel=debug", "access", Off},
		{"ztunnel=debug", "ztunnel::proxy", Debug},
		{"ztunnel::pro=debug", "ztunnel::proxy::inbound", Debug}, // a plain prefix, no module boundary
		{"info,ztunnel::proxy=trace,ztunnel::proxy::inbound=warn", "ztunnel::proxy::inbound", Warn},
		{"info,ztunnel::proxy=trace,ztunnel::proxy::inbound=warn", "ztunnel::proxy::outbound", Trace},
		{"error,ztunnel::proxy=warn,access=info", "access", Info},
		{"error,ztunnel::proxy=warn,access=info", "ztunnel::xds", Error},
		{"ztunnel", "ztunnel::xds", Trace},
		{"info,ztunnel=", "ztunnel::xds", Error},
		{"=debug,info", "anything", Debug},
		{"info, access=debug", "access", Info}, // blanks count
		{"info,access=debug,access=warn", "access", Warn},
		{"info,debug", "access", Debug},
		{"info,,", "access", Error},
		{"info,a[]=trace", "a", Info},
		{"info,a[{}]=trace", "a", Trace},
	}
	for _, tt := range tests {
		f, err := ParseFilter(tt.filter)
		if err != nil {
			t.Errorf("%q: %v", tt.filter, err)
			continue
		}
		if got := f.scope(tt.scope).level; got != tt.want {
			t.Errorf("%q for %s: got %s, want %s", tt.filter, tt.scope, got, tt.want)
		}
	}
}

func TestFilterRefuses(t *testing.T) {
	for _, s := range []string{"a=b=c", "a=loud", "a[{x=info", "a[{x}][{y}]=info", "info,a=6", "a=-1", "a[{x,y}]=info", "a[{x}]"} {
		f, err := ParseFilter(s)
		var wrong *FilterError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "TARGET=LEVEL") {
			t.Errorf("%q: got %v, %v; want an error that says what is right", s, f, err)
		}
	}
	clauses := make([]string, 0, maxDirectives+1)
	for i := range maxDirectives + 1 {
		clauses = append(clauses, strings.Repeat("x", i)+"=info")
	}
	if _, err := ParseFilter(strings.Join(clauses, ",")); err == nil {
		t.Error("a filter without bound was accepted")
	}
}

func TestFilterListing(t *testing.T) {
	tests := []struct{ in, want string }{
		{"info", "info"},
		{"hickory_server::server=off,info,access=debug", "hickory_server::server=off,access=debug,info"},
		{"a=info,b=warn,ccc=trace,error", "ccc=trace,b=warn,a=info,error"},
		{"dd=info,a[{x}]=debug,a=warn,=info,error", "dd=info,a[{x}]=debug,a=warn,=info,error"},
		{"target", "target=trace"},
	}
	for _, tt := range tests {
		f, err := ParseFilter(tt.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.String(); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestDefaultFilter(t *testing.T) {
	set := "access=debug"
	for want, in := range map[string]*string{
		"hickory_server::server=off,info":         nil,
		"hickory_server::server=off,access=debug": &set,
	} {
		f, err := DefaultFilter(in)
		if err != nil || f.String() != want {
			t.Errorf("got %v, %v; want %s", f, err, want)
		}
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"info", "a=b=c", "ztunnel::proxy=warn,access=info", "a[{b,c}]=5", "=", "[{}]=", ",,"} {
		f.Add(s, "ztunnel::proxy")
	}
	f.Fuzz(func(t *testing.T, s, scope string) {
		filter, err := ParseFilter(s)
		if err != nil {
			return
		}
		again, err := ParseFilter(filter.String())
		if err != nil {
			t.Fatalf("%q lists as %q, which is refused: %v", s, filter, err)
		}
		if a, b := filter.scope(scope).level, again.scope(scope).level; a != b {
			t.Fatalf("%q lists as %q, which decides otherwise: %s, %s", s, filter, a, b)
		}
	})
}
