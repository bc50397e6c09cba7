package admin

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	typeOpenMetrics = "application/openmetrics-text"
	// leastCompressed is the size of the smallest body that is compressed, in bytes.
	leastCompressed = 32
)

// StatsHandler is the page of port 15020 (spec/ops.md §5.5). metrics writes OpenMetrics text, and may be called by
// several requests at once.
func StatsHandler(metrics func(io.Writer) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" && r.URL.Path != "/stats/prometheus" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		var body bytes.Buffer
		if err := metrics(&body); err != nil {
			writeText(w, http.StatusInternalServerError, err.Error())
			return
		}
		h := w.Header()
		h.Set("Content-Type", metricsType(r.Header.Values("Accept")))
		h.Set("Vary", "accept-encoding")
		e, ok := negotiate(r.Header.Values("Accept-Encoding"))
		status := http.StatusOK
		if !ok {
			status = http.StatusNotAcceptable
		}
		if e == encodeIdentity || body.Len() < leastCompressed {
			h.Set("Content-Length", strconv.Itoa(body.Len()))
			w.WriteHeader(status)
			_, _ = w.Write(body.Bytes()) // the client is gone, or will see that the answer is short
			return
		}
		h.Set("Content-Encoding", encodingNames[e])
		w.WriteHeader(status)
		if err := compress(w, e, body.Bytes()); err != nil {
			panic(http.ErrAbortHandler) // the answer has begun: only cutting it off shows that it is not whole
		}
	})
}

// metricsType is the content type: OpenMetrics for those who ask for it, text for browsers.
func metricsType(accept []string) string {
	for _, header := range accept {
		for element := range strings.SplitSeq(header, ",") {
			name, _, _ := strings.Cut(element, ";")
			if strings.EqualFold(strings.TrimSpace(name), typeOpenMetrics) {
				return typeOpenMetrics + ";charset=utf-8;version=1.0.0"
			}
		}
	}
	return "text/plain; charset=utf-8"
}
