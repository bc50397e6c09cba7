package admin

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// readyWithin is how long the readiness page waits for the admin actor.
const readyWithin = time.Second

// HeaderWarning carries one warning of the readiness page.
const HeaderWarning = "Troupe-Warning"

// readinessHandler is the page of port 15021 (spec/ops.md §5.6): GET /healthz/ready asks the admin actor what is pending.
// Without an answer the node is not ready. A node that is ready and will not stay so tells the reasons in headers, for
// whoever looks: the status and the body are the reference's.
func readinessHandler(sys *kit.System, pid *actor.PID, warnings func(context.Context) []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/healthz/ready":
			w.WriteHeader(http.StatusNotFound)
			return
		case r.Method != http.MethodGet:
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		found, err := kit.AskFor[*messages.PendingTasksFound](r.Context(), sys, pid, &messages.FindPendingTasks{}, readyWithin)
		switch {
		case err != nil:
			writeText(w, http.StatusInternalServerError, "not ready, pending: admin ("+err.Error()+")\n")
		case len(found.Tasks) > 0:
			writeText(w, http.StatusInternalServerError, "not ready, pending: "+strings.Join(found.Tasks, ", ")+"\n")
		default:
			if warnings != nil {
				for _, text := range warnings(r.Context()) {
					w.Header().Add(HeaderWarning, text)
				}
			}
			writeText(w, http.StatusOK, "ready\n")
		}
	})
}
