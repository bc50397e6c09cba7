package trace

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

// However a connection fails, its line in the log, the metrics and its trace give one reason (spec/dataplane.md §11.6): for
// each reason there is, in both directions, denied early, failed while it was set up, and while it lived.
func TestOneReasonInLogMetricAndSpan(t *testing.T) {
	ways := map[string]func(n *testNode, r *messages.Record, f *messages.Failure){
		"denied early": func(n *testNode, r *messages.Record, f *messages.Failure) {
			r.Failure = f
			n.EarlyDenied(r)
		},
		"while it is set up": func(n *testNode, r *messages.Record, f *messages.Failure) {
			s := n.Opened(r)
			r.Failure = f
			n.SetupEnded(r)
			n.Closed(r, s, nil)
		},
		"while it lives": func(n *testNode, r *messages.Record, f *messages.Failure) {
			s := n.Opened(r)
			n.SetupEnded(r)
			r.Failure = f
			n.Closed(r, s, nil)
		},
	}
	for way, end := range ways {
		for _, direction := range []messages.Direction{messages.Outbound, messages.Inbound} {
			for _, reason := range messages.Reasons() {
				t.Run(fmt.Sprintf("%s/%s/%s", way, direction, reason), func(t *testing.T) {
					n := newNode(t, nodeOptions{ratio: 1})
					r := inboundRecord()
					if r.Direction = direction; direction == messages.Inbound {
						n.StartStream(r)
					} else {
						n.Start(r)
					}
					r.Begin(messages.SpanAccept, messages.NoSpan)
					end(n, r, messages.Fail(reason, "what happened"))

					lines := n.logged(t)
					last := lines[len(lines)-1]
					if want := fmt.Sprintf(`error="what happened" reason="%s"`, reason); !strings.HasSuffix(last, want) {
						t.Errorf("the log says %q, want %q at its end", last, want)
					}
					var metrics strings.Builder
					if err := n.WriteMetrics(&metrics); err != nil {
						t.Fatal(err)
					}
					samples := strings.Split(metrics.String(), "\n")
					own := fmt.Sprintf(`troupe_connection_failures_total{reporter="%s",reason="%s"} 1`, direction.Reporter(), reason)
					if !slices.Contains(samples, own) {
						t.Errorf("no sample %q", own)
					}
					for name, want := range map[string]bool{"closed": way != "denied early", "failed": way != "denied early" && reason.Flag() != "-"} {
						found := slices.ContainsFunc(samples, func(s string) bool {
							return strings.HasPrefix(s, "istio_tcp_connections_"+name+"_total{") &&
								strings.Contains(s, `response_flags="`+reason.Flag()+`"`) && strings.HasSuffix(s, " 1")
						})
						if found != want {
							t.Errorf("%s under %s: %v, want %v", name, reason.Flag(), found, want)
						}
					}
					var told []string
					for _, s := range n.exported(t) {
						if kind := value(s, messages.AttrErrorType); kind != "" {
							told = append(told, kind)
						}
					}
					if (len(told) > 0) != isError(reason) { // what was meant to end is no error
						t.Errorf("spans tell %q", told)
					}
					for _, kind := range told {
						if kind != reason.ErrorType() {
							t.Errorf("a span tells %q", kind)
						}
					}
				})
			}
		}
	}
}
