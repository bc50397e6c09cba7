package admin

import (
	"net/http"

	"github.com/troupe-mesh/troupe/actors/logs"
)

// Controls are what the admin page can do to the node.
type Controls struct {
	Log *logs.Logs
	// Quit begins the node's shutdown. It must not block.
	Quit func()
}

// Handler is the admin page of port 15000 (spec/ops.md §5.1). Paths match exactly; the method counts only where the
// reference looks at it.
func Handler(c Controls, s Sources) http.Handler {
	dump := &dumper{sources: s, log: c.Log.Scope("ztunnel::admin")}
	profiles := &profiles{}
	pages := map[string]http.HandlerFunc{
		"/":                           dashboard,
		"/config_dump":                dump.serve,
		"/logging":                    logging(c.Log),
		"/quitquitquit":               quit(c.Quit),
		"/debug/pprof/profile":        profiles.cpu,
		"/debug/pprof/trace":          profiles.trace,
		"/debug/pprof/heap":           profiles.heap,
		"/debug/pprof/heap/profiling": profiles.heapProfiling,
		"/debug/pprof/allocs":         profiles.named("allocs"),
		"/debug/pprof/goroutine":      profiles.named("goroutine"),
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		page(w, r)
	})
}

func quit(begin func()) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		begin()
		writeText(w, http.StatusOK, "shutdown now\n")
	}
}

// parameter is the last value of a query parameter, as in the reference.
func parameter(r *http.Request, name string) (string, bool) {
	values := r.URL.Query()[name]
	if len(values) == 0 {
		return "", false
	}
	return values[len(values)-1], true
}
