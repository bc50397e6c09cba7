package messages

import "testing"

func TestSpanNames(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range SpanNames() {
		if n.String() == "" || seen[n.String()] {
			t.Errorf("span %d: name %q is empty or taken", n, n)
		}
		seen[n.String()] = true
	}
	if SpanNone.String() != "" || seen[""] {
		t.Error("no span has a name")
	}
	for n, want := range map[SpanName]string{
		SpanOutbound: "outbound", SpanConnect: "CONNECT", SpanTLSHandshake: "tls.handshake", SpanActorRestart: "actor.restart",
	} {
		if n.String() != want {
			t.Errorf("%q: want %q", n, want)
		}
	}
}

func TestAttrs(t *testing.T) {
	for _, tt := range []struct{ got, want Attr }{
		{StringAttr("k", "v"), Attr{Key: "k", Str: "v", Kind: AttrString}},
		{IntAttr("k", -7), Attr{Key: "k", Int: -7, Kind: AttrInt}},
		{BoolAttr("k", true), Attr{Key: "k", Int: 1, Kind: AttrBool}},
		{BoolAttr("k", false), Attr{Key: "k", Kind: AttrBool}},
	} {
		if tt.got != tt.want {
			t.Errorf("%+v: want %+v", tt.got, tt.want)
		}
	}
}
