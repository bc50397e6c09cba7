package jaeger

import (
	"strings"
	"testing"
	"time"
)

// sample is an answer as Jaeger gives it: two nodes' spans of one trace, and one of another that lacks its parent.
const sample = `{"result": {"resourceSpans": [
 {"resource": {"attributes": [{"key": "k8s.node.name", "value": {"stringValue": "node-a"}}]},
  "scopeSpans": [{"scope": {}, "spans": [
   {"traceId": "aa", "spanId": "01", "name": "outbound", "kind": 2, "startTimeUnixNano": "1000000000", "endTimeUnixNano": "3000000000",
    "attributes": [{"key": "error.type", "value": {"stringValue": "policy_denied"}}, {"key": "source.port", "value": {"intValue": "80"}},
     {"key": "troupe.pool.hit", "value": {"boolValue": true}}], "status": {"code": 2}},
   {"traceId": "aa", "spanId": "02", "parentSpanId": "01", "name": "workload.wait", "startTimeUnixNano": "1", "endTimeUnixNano": "2"},
   {"traceId": "bb", "spanId": "05", "parentSpanId": "04", "name": "accept", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}]}]},
 {"resource": {"attributes": [{"key": "k8s.node.name", "value": {"stringValue": "node-b"}}]},
  "scopeSpans": [{"spans": [{"traceId": "aa", "spanId": "03", "parentSpanId": "01", "name": "CONNECT", "startTimeUnixNano": "1",
   "endTimeUnixNano": "2", "events": [{"name": "route", "attributes": [{"key": "troupe.answer", "value": {"stringValue": "x"}}]}],
   "links": [{"traceId": "cc", "spanId": "06"}]}]}]}]}}`

func TestAnswerIsRead(t *testing.T) {
	traces, err := decodeTraces([]byte(sample))
	if err != nil || len(traces) != 2 {
		t.Fatalf("%d traces, %v, want 2", len(traces), err)
	}
	if got, want := traces[0].outline(), "node-a outbound ✗ policy_denied\n  node-b CONNECT\n"; got != want {
		t.Errorf("outline\n%s\nwant\n%s", got, want)
	}
	root := traces[0].span(t, "node-a", "outbound")
	root.want(t, map[string]string{"source.port": "80", "troupe.pool.hit": "true", "error.type": "policy_denied"})
	if took := root.end.Sub(root.start); took != 2*time.Second {
		t.Errorf("outbound took %v, want 2s", took)
	}
	connect := traces[0].span(t, "node-b", "CONNECT")
	if e := connect.event("route"); e == nil || e.attributes["troupe.answer"] != "x" || connect.event("fault") != nil {
		t.Errorf("events %v", connect.events)
	}
	if len(connect.links) != 1 || connect.links[0] != (link{"cc", "06"}) {
		t.Errorf("links %v", connect.links)
	}
}

func TestMissingParentsAreSeen(t *testing.T) {
	traces, err := decodeTraces([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if whole := traces[0]; len(whole.orphans()) != 0 || len(whole.roots()) != 1 {
		t.Errorf("the whole trace has %d orphans and %d roots, want 0 and 1", len(whole.orphans()), len(whole.roots()))
	}
	if torn := traces[1]; len(torn.orphans()) != 1 || torn.orphans()[0].id != "05" || len(torn.roots()) != 0 {
		t.Errorf("the torn trace has %d orphans and %d roots, want 1 and 0", len(torn.orphans()), len(torn.roots()))
	}
	if text := missing(traces[:1]); text != "" {
		t.Errorf("the whole trace lacks %q", text)
	}
	if text := missing(traces); !strings.Contains(text, "trace bb: span accept of node-a has the parent 04, which is not there") {
		t.Errorf("the torn trace lacks %q", text)
	}
}

func TestNoAnswerIsNoTrace(t *testing.T) {
	if traces, err := decodeTraces(nil); err != nil || traces != nil {
		t.Errorf("%v, %v", traces, err)
	}
	for _, bad := range []string{"{", `{"result": {"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "x"}]}]}]}}`} {
		if _, err := decodeTraces([]byte(bad)); err == nil {
			t.Errorf("%s is taken for an answer", bad)
		}
	}
}
