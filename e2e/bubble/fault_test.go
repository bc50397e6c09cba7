package bubble_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// number is the number of a spawned actor in its name.
var number = regexp.MustCompile(`/[0-9]+`)

// faultsIn are the fault events of a node's traces: the span, the fault, the message and the time since the span began.
func faultsIn(spans tracetest.SpanStubs) []string {
	var found []string
	for _, s := range spans {
		for _, e := range s.Events {
			if e.Name != messages.EventFault {
				continue
			}
			values := map[string]string{}
			for _, a := range e.Attributes {
				values[string(a.Key)] = a.Value.String()
			}
			actor := number.ReplaceAllString(values[messages.AttrActorName], "/N")
			found = append(found, fmt.Sprintf("%s: %s %s for %s at %s", s.Name, values[messages.AttrFault],
				values[messages.AttrQuestion], actor, e.Time.Sub(s.StartTime)))
		}
	}
	slices.Sort(found)
	return found
}

// TestFaultsAreInTheTrace injects each fault into one connection, and finds it as an event of that connection's trace.
func TestFaultsAreInTheTrace(t *testing.T) {
	const services = "node/services"
	tests := map[string]struct {
		inject func(f *fault.Faults)
		fails  bool
		want   []string
	}{
		"none": {func(*fault.Faults) {}, false, nil},
		"drop a question": {
			func(f *fault.Faults) { fault.On[messages.FindUpstream](f, "services").Drop() }, true,
			[]string{"classify: drop messages.FindUpstream for " + services + " at 0s"},
		},
		"delay a question": {
			func(f *fault.Faults) { fault.On[messages.FindUpstream](f, "services").Delay(time.Second) }, false,
			[]string{"classify: delay messages.FindUpstream for " + services + " at 0s"},
		},
		"lose a reply": {
			func(f *fault.Faults) { fault.On[messages.FindUpstream](f, "services").LoseReply() }, true,
			[]string{"classify: lose_reply messages.UpstreamFound for node/pod/client/tunnel/N/classify/N at 0s"},
		},
		"panic": {
			func(f *fault.Faults) {
				fault.On[messages.FindUpstream](f, "services").Once().Panic(errors.New("broken on purpose"))
			}, true,
			[]string{"classify: panic messages.FindUpstream for " + services + " at 0s"},
		},
		"slow": {
			func(f *fault.Faults) { fault.On[messages.FindUpstream](f, "services").Slow(time.Second) }, false,
			[]string{"classify: slow messages.FindUpstream for " + services + " at 0s"},
		},
		"hand over twice": {
			func(f *fault.Faults) {
				fault.On[messages.StageDone](f, "tunnel").Where(func(m *messages.StageDone) bool {
					return m.Stage == messages.StageAuthorize
				}).Duplicate()
			}, false,
			[]string{"tunnel: duplicate messages.StageDone for node/pod/client/tunnel/N at 0s"},
		},
		"after the set-up": {
			func(f *fault.Faults) { fault.On[messages.Finished](f, "tunnel").Delay(time.Second) }, false,
			[]string{"tunnel.close: delay messages.Finished for node/pod/client/tunnel/N at -1s"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			run(t, two(), func(t *testing.T, w *bubble.World) {
				faults := fault.New()
				client, server := w.StartWith("client", bubble.Options{Faults: faults}), w.Start("server")
				server.Echo("10.0.0.2:8080")
				tt.inject(faults)
				c := client.Dial("10.9.0.2:80")
				if tt.fails {
					w.Pass(time.Minute)
				} else {
					c.Say("hello")
					w.Pass(10 * time.Second)
					c.Hear("hello")
					c.Finish()
				}
				w.Pass(time.Minute)
				if got := faultsIn(client.Spans()); !slices.Equal(got, tt.want) {
					t.Errorf("got  %q\nwant %q\n%s", got, tt.want, faults.Report())
				}
			})
		})
	}
}
