package trace

import (
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

func TestParseParent(t *testing.T) {
	const ids = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"
	for header, want := range map[string]bool{
		"00-" + ids + "01":                  true,
		"00-" + ids + "ff":                  true,
		"cc-" + ids + "01":                  true,
		"cc-" + ids + "01-what-is-this":     true,
		"00-" + ids + "01-more":             false,
		"cc-" + ids + "01.more":             false,
		"ff-" + ids + "01":                  false,
		"00-" + ids + "0":                   false,
		"00-" + ids + "0G":                  false,
		"00-" + strings.ToUpper(ids) + "01": false,
		"00_" + ids + "01":                  false,
		"0--" + ids + "01":                  false,
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": false,
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01": false,
		"00-" + strings.Repeat("0", 52):                           false,
		"":                                                        false,
	} {
		p, ok := parseParent(header)
		if ok != want {
			t.Errorf("%q: %v, want %v", header, ok, want)
		}
		if ok && p.trace.String()+"-"+p.span.String()+"-" != ids {
			t.Errorf("%q read as %s-%s", header, p.trace, p.span)
		}
	}
}

// FuzzParseParent holds our reader to OpenTelemetry's: what we take it takes, with the same ids.
func FuzzParseParent(f *testing.F) {
	f.Add(sampledParent)
	f.Add("00-" + strings.Repeat("0", 52))
	f.Add("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more")
	f.Fuzz(func(t *testing.T, header string) {
		p, ok := parseParent(header)
		if !ok {
			return
		}
		carrier := propagation.MapCarrier{"traceparent": header}
		sc := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(t.Context(), carrier))
		if header[:2] == "00" && !sc.IsValid() && header[parentLen-2] == '0' {
			t.Fatalf("%q is taken by us only", header)
		}
		if sc.IsValid() && (sc.TraceID() != trace.TraceID(p.trace) || sc.SpanID() != trace.SpanID(p.span) || sc.IsSampled() != p.sampled) {
			t.Fatalf("%q read as %v and %v", header, p, sc)
		}
		again, ok := parseParent(formatParent(p.trace, p.span, p.sampled))
		if !ok || again != p {
			t.Fatalf("%v written and read is %v", p, again)
		}
	})
}

func TestMarked(t *testing.T) {
	for _, tt := range []struct {
		state []string
		want  bool
	}{
		{nil, false},
		{[]string{"troupe=1"}, true},
		{[]string{"a=b,\ttroupe=1 ,c=d"}, true},
		{[]string{"a=b", "troupe=1"}, true},
		{[]string{"troupe=10"}, false},
		{[]string{"a=troupe=1"}, false},
		{[]string{strings.Repeat("a=b,", 31) + "troupe=1"}, true},
		{[]string{strings.Repeat("a=b,", 32) + "troupe=1"}, false},
	} {
		if got := marked(tt.state); got != tt.want {
			t.Errorf("%q: %v, want %v", tt.state, got, tt.want)
		}
	}
}
