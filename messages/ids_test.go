package messages

import "testing"

func TestIDs(t *testing.T) {
	trace, span := TraceID{0xab, 15: 1}, SpanID{0xcd, 7: 2}
	if trace.String() != "ab000000000000000000000000000001" || span.String() != "cd00000000000002" {
		t.Errorf("%s, %s", trace, span)
	}
	if trace.IsZero() || span.IsZero() || !(TraceID{}).IsZero() || !(SpanID{}).IsZero() {
		t.Error("IsZero")
	}
}
