package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
)

// get fetches a page of one of the proxy's endpoints.
func (r *running) get(method string, port uint16, path string) (int, string) {
	r.t.Helper()
	url := fmt.Sprintf("http://%s%s", netip.AddrPortFrom(r.ip, port), path)
	request, err := http.NewRequestWithContext(r.t.Context(), method, url, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: callLimit}
	response, err := client.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func (r *running) metrics() string {
	r.t.Helper()
	status, body := r.get(http.MethodGet, 15020, "/metrics")
	if status != http.StatusOK {
		r.t.Fatalf("metrics: status %d", status)
	}
	return body
}

// samples are the lines of a metric that hold all of these labels.
func samples(metrics, name string, labels ...string) []string {
	var found []string
lines:
	for line := range strings.Lines(metrics) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || !strings.HasPrefix(rest, "{") && !strings.HasPrefix(rest, " ") {
			continue
		}
		for _, l := range labels {
			if !strings.Contains(line, l) {
				continue lines
			}
		}
		found = append(found, strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]))
	}
	return found
}
