package admin

import (
	"context"
	"net/http"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"time"
)

// profiles serves the runtime's profiles in pprof form (spec/ops.md §5.1).
type profiles struct{}

// cpu profiles for some seconds. The frequency is checked but always Go's own 100 Hz.
func (profiles) cpu(w http.ResponseWriter, r *http.Request) {
	took, ok := secondsParameter(w, r, 10)
	if !ok {
		return
	}
	if _, ok := between(r, "frequency", 1, 1000, 100); !ok {
		writeText(w, http.StatusBadRequest, "invalid frequency value; expected 1-1000\n")
		return
	}
	record(w, r, took, func() error { return pprof.StartCPUProfile(w) }, pprof.StopCPUProfile)
}

// trace records the scheduler's trace for some seconds.
func (profiles) trace(w http.ResponseWriter, r *http.Request) {
	took, ok := secondsParameter(w, r, 1)
	if !ok {
		return
	}
	record(w, r, took, func() error { return trace.Start(w) }, trace.Stop)
}

// record runs a recording that writes to w, until its time is over, the client has gone or the server ends.
func record(w http.ResponseWriter, r *http.Request, took time.Duration, start func() error, stop func()) {
	answerWithin(w, took+answerTimeout)
	w.Header()["Content-Type"] = nil // none, and no guess either
	if err := start(); err != nil {
		writeText(w, http.StatusInternalServerError, err.Error())
		return
	}
	defer stop()
	ctx, cancel := context.WithTimeout(r.Context(), took)
	defer cancel()
	select {
	case <-ctx.Done():
	case <-clientGone(r.Context()):
	}
}

func (p profiles) heap(w http.ResponseWriter, r *http.Request) { p.named("heap")(w, r) }

// named serves one of the runtime's lasting profiles.
func (profiles) named(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = nil
		_ = pprof.Lookup(name).WriteTo(w, 0) // the client is gone, or will see that the answer is short
	}
}

// heapProfiling answers the reference's switch: Go's heap profile is always active.
func (profiles) heapProfiling(w http.ResponseWriter, r *http.Request) {
	if v, ok := parameter(r, "activate"); ok && v != "true" && v != "false" {
		writeText(w, http.StatusBadRequest, "invalid activate value "+strconv.Quote(v)+"; expected true or false\n")
		return
	}
	writeText(w, http.StatusOK, "heap profiling active: true\n")
}

func secondsParameter(w http.ResponseWriter, r *http.Request, unset int) (time.Duration, bool) {
	n, ok := between(r, "seconds", 1, 300, unset)
	if !ok {
		writeText(w, http.StatusBadRequest, "invalid seconds value; expected 1-300\n")
	}
	return time.Duration(n) * time.Second, ok
}

// between reads a whole number with bounds.
func between(r *http.Request, name string, low, high, unset int) (int, bool) {
	v, ok := parameter(r, name)
	if !ok {
		return unset, true
	}
	n, err := strconv.Atoi(v)
	return n, err == nil && n >= low && n <= high
}
