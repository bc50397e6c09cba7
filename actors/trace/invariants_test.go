package trace

import (
	"slices"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/troupe-mesh/troupe/messages"
)

// checkSpans holds a whole export to TRACING §9.2: every parent is there, children lie within their parents, names and
// error types are of the closed lists.
func checkSpans(t interface {
	Helper()
	Errorf(string, ...any)
}, spans []sdktrace.ReadOnlySpan,
) {
	t.Helper()
	type key struct {
		trace trace.TraceID
		span  trace.SpanID
	}
	byID := make(map[key]sdktrace.ReadOnlySpan)
	for _, s := range spans {
		k := key{s.SpanContext().TraceID(), s.SpanContext().SpanID()}
		if byID[k] != nil {
			t.Errorf("two spans have the id %v: %s and %s", k, byID[k].Name(), s.Name())
		}
		byID[k] = s
	}
	names, types := closedNames(), closedErrorTypes()
	for _, s := range spans {
		if !slices.Contains(names, s.Name()) {
			t.Errorf("span name %q is not in the closed list", s.Name())
		}
		if s.EndTime().Before(s.StartTime()) || s.EndTime().IsZero() {
			t.Errorf("%s ends %v before it starts", s.Name(), s.StartTime().Sub(s.EndTime()))
		}
		kind := value(s, messages.AttrErrorType)
		if isErr := s.Status().Code == codes.Error; isErr != slices.Contains(types, kind) {
			t.Errorf("%s: error status is %v, error.type %q", s.Name(), isErr, kind)
		}
		if !s.Parent().SpanID().IsValid() {
			continue
		}
		parent := byID[key{s.SpanContext().TraceID(), s.Parent().SpanID()}]
		switch {
		case parent == nil:
			t.Errorf("the parent of %s was not exported", s.Name())
		case isLater(s.Name()):
		case s.StartTime().Before(parent.StartTime()) || s.EndTime().After(parent.EndTime()):
			t.Errorf("%s [%v, %v] is not within its parent %s [%v, %v]", s.Name(),
				s.StartTime(), s.EndTime(), parent.Name(), parent.StartTime(), parent.EndTime())
		}
	}
}

func closedNames() (names []string) {
	for _, n := range messages.SpanNames() {
		names = append(names, n.String())
	}
	return names
}

func closedErrorTypes() (types []string) {
	for _, r := range messages.Reasons() {
		if isError(r) {
			types = append(types, r.ErrorType())
		}
	}
	return types
}
