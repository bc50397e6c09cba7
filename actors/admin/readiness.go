package admin

import (
	"net/http"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// readyWithin is how long the readiness page waits for the admin actor.
const readyWithin = time.Second

// readinessHandler is the page of port 15021 (spec/ops.md §5.6): GET /healthz/ready asks the admin actor what is pending.
// Without an answer the node is not ready.
func readinessHandler(sys *kit.System, pid *actor.PID) http.Handler {
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
			writeText(w, http.StatusOK, "ready\n")
		}
	})
}
