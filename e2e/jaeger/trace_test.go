package jaeger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// connectionTrace is a trace as Jaeger has it.
type connectionTrace struct {
	id    string
	spans []*span
}

type span struct {
	id, parent, name, node string
	kind                   string
	failed                 bool
	start, end             time.Time
	attributes             map[string]string
	events                 []event
	links                  []link
}

type event struct {
	name       string
	attributes map[string]string
}

type link struct{ trace, span string }

// The answer of /api/v3/traces: OTLP's JSON form in an envelope.
type (
	wireAnswer struct {
		Result struct {
			ResourceSpans []struct {
				Resource   struct{ Attributes []wireAttribute }
				ScopeSpans []struct{ Spans []wireSpan }
			}
		}
	}
	wireSpan struct {
		TraceID, SpanID, ParentSpanID, Name string
		Kind                                json.RawMessage
		StartTimeUnixNano, EndTimeUnixNano  string
		Attributes                          []wireAttribute
		Events                              []struct {
			Name       string
			Attributes []wireAttribute
		}
		Links  []struct{ TraceID, SpanID string }
		Status struct{ Code json.RawMessage }
	}
	wireAttribute struct {
		Key   string
		Value map[string]json.RawMessage
	}
)

// decodeTraces reads an answer; an empty one has no traces.
func decodeTraces(body []byte) ([]*connectionTrace, error) {
	if len(body) == 0 {
		return nil, nil
	}
	var answer wireAnswer
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("read Jaeger's traces: %w", err)
	}
	byID := map[string]*connectionTrace{}
	var traces []*connectionTrace
	for _, resource := range answer.Result.ResourceSpans {
		node := values(resource.Resource.Attributes)["k8s.node.name"]
		for _, scope := range resource.ScopeSpans {
			for _, w := range scope.Spans {
				t := byID[w.TraceID]
				if t == nil {
					t = &connectionTrace{id: w.TraceID}
					byID[w.TraceID] = t
					traces = append(traces, t)
				}
				s, err := w.span(node)
				if err != nil {
					return nil, err
				}
				t.spans = append(t.spans, s)
			}
		}
	}
	return traces, nil
}

func (w *wireSpan) span(node string) (*span, error) {
	s := &span{
		id: w.SpanID, parent: w.ParentSpanID, name: w.Name, node: node, kind: unquoted(w.Kind), attributes: values(w.Attributes),
		failed: unquoted(w.Status.Code) == "2" || unquoted(w.Status.Code) == "STATUS_CODE_ERROR",
	}
	for to, text := range map[*time.Time]string{&s.start: w.StartTimeUnixNano, &s.end: w.EndTimeUnixNano} {
		nanos, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("time of span %s: %w", w.Name, err)
		}
		*to = time.Unix(0, nanos)
	}
	for _, e := range w.Events {
		s.events = append(s.events, event{e.Name, values(e.Attributes)})
	}
	for _, l := range w.Links {
		s.links = append(s.links, link{l.TraceID, l.SpanID})
	}
	return s, nil
}

func values(attributes []wireAttribute) map[string]string {
	all := map[string]string{}
	for _, a := range attributes {
		for _, v := range a.Value {
			all[a.Key] = unquoted(v)
		}
	}
	return all
}

func unquoted(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	return string(raw)
}

// roots are the spans without a parent.
func (t *connectionTrace) roots() []*span {
	return slices.DeleteFunc(slices.Clone(t.spans), func(s *span) bool { return s.parent != "" })
}

// orphans are the spans whose parent is not in the trace.
func (t *connectionTrace) orphans() []*span {
	ids := map[string]bool{"": true}
	for _, s := range t.spans {
		ids[s.id] = true
	}
	return slices.DeleteFunc(slices.Clone(t.spans), func(s *span) bool { return ids[s.parent] })
}

// count is how many spans of a name a node made; an empty node is any.
func (t *connectionTrace) count(node, name string) int {
	n := 0
	for _, s := range t.spans {
		if s.name == name && (node == "" || s.node == node) {
			n++
		}
	}
	return n
}

// span is the one span of a name that a node made; the test fails when there is not one.
func (t *connectionTrace) span(tb testing.TB, node, name string) *span {
	tb.Helper()
	if n := t.count(node, name); n != 1 {
		tb.Fatalf("trace %s has %d spans %s of %s, want 1:\n%s", t.id, n, name, node, t.outline())
	}
	return t.spans[slices.IndexFunc(t.spans, func(s *span) bool { return s.name == name && s.node == node })]
}

// want fails the test unless the span has the attributes.
func (s *span) want(tb testing.TB, attributes map[string]string) {
	tb.Helper()
	for name, value := range attributes {
		if got, there := s.attributes[name]; !there || got != value {
			tb.Errorf("%s %s: %s is %q, want %q", s.node, s.name, name, got, value)
		}
	}
}

// event is the first event of a name, nil if there is none.
func (s *span) event(name string) *event {
	for i := range s.events {
		if s.events[i].name == name {
			return &s.events[i]
		}
	}
	return nil
}

// outline is the tree of names, siblings by name. Waits inside a stage, which depend on time, are left out.
func (t *connectionTrace) outline() string {
	var text strings.Builder
	var write func(parent, indent string)
	write = func(parent, indent string) {
		children := slices.DeleteFunc(slices.Clone(t.spans), func(s *span) bool {
			return s.parent != parent || strings.HasSuffix(s.name, ".wait")
		})
		slices.SortFunc(children, func(a, b *span) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id)) })
		for _, c := range children {
			failed := ""
			if c.failed {
				failed = " ✗ " + c.attributes["error.type"]
			}
			fmt.Fprintf(&text, "%s%s %s%s\n", indent, c.node, c.name, failed)
			write(c.id, indent+"  ")
		}
	}
	write("", "")
	return text.String()
}
