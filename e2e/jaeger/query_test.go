package jaeger

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// api talks to Jaeger.
var api = &http.Client{Transport: &http.Transport{}, Timeout: 10 * time.Second}

const (
	maxAnswer = 64 << 20
	maxTraces = 1000
	// arrival is how long spans may take to Jaeger.
	arrival = 20 * time.Second
)

// get asks Jaeger. What it has nothing of is an empty answer.
func (b *backend) get(path string, query url.Values) ([]byte, error) {
	u := url.URL{Scheme: "http", Host: b.http.String(), Path: path, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask Jaeger: %w", err)
	}
	response, err := api.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask Jaeger: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read Jaeger's answer to %s: %w", &u, err)
	case response.StatusCode == http.StatusNotFound:
		return nil, nil
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("ask Jaeger %s: %s: %s", &u, response.Status, body)
	}
	return body, nil
}

// trace gets a trace by its id; nil when Jaeger has none.
func (b *backend) trace(id string) (*connectionTrace, error) {
	body, err := b.get("/api/v3/traces/"+id, nil)
	if err != nil {
		return nil, err
	}
	traces, err := decodeTraces(body)
	if err != nil || len(traces) == 0 {
		return nil, err
	}
	return traces[0], nil
}

// search finds traces of a service. The page /api/v3/traces of this version of Jaeger can't search by attributes: for
// these the ids come from where Jaeger's own search page asks, and the traces from v3.
func (b *backend) search(service string, s Search) ([]*connectionTrace, error) {
	if s.Tags != "" {
		return b.searchTags(service, s)
	}
	now := time.Now()
	query := url.Values{
		"query.service_name":   {service},
		"query.start_time_min": {now.Add(-time.Hour).Format(time.RFC3339Nano)},
		"query.start_time_max": {now.Add(time.Hour).Format(time.RFC3339Nano)},
		"query.num_traces":     {strconv.Itoa(maxTraces)},
	}
	if s.Operation != "" {
		query.Set("query.operation_name", s.Operation)
	}
	if s.MinDuration != "" {
		query.Set("query.duration_min", s.MinDuration)
	}
	body, err := b.get("/api/v3/traces", query)
	if err != nil {
		return nil, err
	}
	return decodeTraces(body)
}

func (b *backend) searchTags(service string, s Search) ([]*connectionTrace, error) {
	tags := map[string]string{}
	for tag := range strings.FieldsSeq(s.Tags) {
		name, value, _ := strings.Cut(tag, "=")
		tags[name] = value
	}
	text, err := json.Marshal(tags)
	if err != nil {
		return nil, fmt.Errorf("encode tags: %w", err)
	}
	now := time.Now()
	query := url.Values{
		"service": {service}, "tags": {string(text)}, "limit": {strconv.Itoa(maxTraces)},
		"start": {strconv.FormatInt(now.Add(-time.Hour).UnixMicro(), 10)}, "end": {strconv.FormatInt(now.Add(time.Hour).UnixMicro(), 10)},
	}
	if s.Operation != "" {
		query.Set("operation", s.Operation)
	}
	if s.MinDuration != "" {
		query.Set("minDuration", s.MinDuration)
	}
	body, err := b.get("/api/traces", query)
	if err != nil || body == nil {
		return nil, err
	}
	var found struct {
		Data []struct{ TraceID string }
	}
	if err := json.Unmarshal(body, &found); err != nil {
		return nil, fmt.Errorf("read Jaeger's answer: %w", err)
	}
	var traces []*connectionTrace
	for _, f := range found.Data {
		whole, err := b.trace(f.TraceID)
		if err != nil {
			return nil, err
		}
		if whole != nil {
			traces = append(traces, whole)
		}
	}
	return traces, nil
}

// await searches until exactly n traces are found and each of them is as it must be.
func (b *backend) await(t *testing.T, service string, s Search, n int, complete func(*connectionTrace) bool) []*connectionTrace {
	t.Helper()
	var found []*connectionTrace
	var err error
	if eventually(arrival, func() bool {
		if found, err = b.search(service, s); err != nil || len(found) != n {
			return false
		}
		for _, f := range found {
			if !complete(f) {
				return false
			}
		}
		return true
	}) {
		return found
	}
	var have strings.Builder
	for _, f := range found {
		fmt.Fprintf(&have, "\n%s\n%s", f.id, f.outline())
	}
	t.Fatalf("%s finds %d traces in %s, want %d whole ones (%v):%s", s, len(found), service, n, err, have.String())
	return nil
}

// wantWhole fails the test when any trace of the service stays without a parent that one of its spans names, or has not
// exactly one root. What is still on its way may come.
func (b *backend) wantWhole(t *testing.T, service string) {
	t.Helper()
	var torn string
	if !eventually(arrival, func() bool {
		all, err := b.search(service, Search{})
		switch {
		case err != nil:
			torn = err.Error()
		case len(all) == 0:
			torn = "there is no trace of " + service + " at all"
		default:
			torn = missing(all)
		}
		return torn == ""
	}) {
		t.Error(torn)
	}
}

// missing says what traces lack; it is empty when they lack nothing.
func missing(all []*connectionTrace) string {
	var text strings.Builder
	for _, one := range all {
		orphans := one.orphans()
		for _, o := range orphans {
			fmt.Fprintf(&text, "trace %s: span %s of %s has the parent %s, which is not there\n", one.id, o.name, o.node, o.parent)
		}
		if n := len(one.roots()); n != 1 || len(orphans) > 0 {
			fmt.Fprintf(&text, "trace %s has %d roots:\n%s", one.id, n, one.outline())
		}
	}
	return text.String()
}
