package admin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/actors/logs"
)

func newHandler(t *testing.T, s Sources) (http.Handler, *logs.Logs, *int) {
	t.Helper()
	filter, err := logs.ParseFilter("hickory_server::server=off,info")
	if err != nil {
		t.Fatal(err)
	}
	l := logs.New(io.Discard, logs.Plain, filter)
	t.Cleanup(func() { _ = l.Close(context.Background()) })
	quits := new(int)
	return Handler(Controls{Log: l, Quit: func() { *quits++ }}, s), l, quits
}

func ask1(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestLoggingPage(t *testing.T) {
	tests := []struct {
		method, target string
		status         int
		body           string // what it begins with
	}{
		{"POST", "/logging", 200, "current log level is hickory_server::server=off,info\n"},
		{"POST", "/logging?level=", 200, "current log level is hickory_server::server=off,info\n"},
		{"POST", "/logging?level=access=debug", 200, "current log level is hickory_server::server=off,access=debug,info\n"},
		{"POST", "/logging?level=access:trace", 200, "current log level is hickory_server::server=off,access=trace,info\n"},
		{"POST", "/logging?level=debug", 200, "current log level is hickory_server::server=off,access=trace,debug\n"},
		{"POST", "/logging?level=warn&reset", 200, "current log level is hickory_server::server=off,warn\n"},
		{"POST", "/logging?reset=", 200, "current log level is hickory_server::server=off,info\n"},
		{"POST", "/logging?level=off&level=error", 200, "current log level is hickory_server::server=off,error\n"},
		{"POST", "/logging?level=access", 400, "Invalid level provided: access\n\nusage: POST /logging"},
		{"POST", "/logging?level=a%3Db%3Dc", 400, "Invalid level provided: a=b=c\n"},
		{"GET", "/logging", 405, "Invalid HTTP method\n \nusage: POST /logging"},
	}
	h, _, _ := newHandler(t, Sources{})
	for _, tt := range tests {
		w := ask1(h, tt.method, tt.target)
		if w.Code != tt.status || !strings.HasPrefix(w.Body.String(), tt.body) || w.Header().Get("Content-Type") != "text/plain" {
			t.Errorf("%s %s: got %d %v %q", tt.method, tt.target, w.Code, w.Header(), w.Body)
		}
	}
}

func TestLoggingPageTooManyDirectives(t *testing.T) {
	h, _, _ := newHandler(t, Sources{})
	clauses := make([]string, 0, 1100)
	for i := range 1100 {
		clauses = append(clauses, fmt.Sprintf("x%d=info", i))
	}
	last := ask1(h, "POST", "/logging?level="+strings.Join(clauses, ","))
	if last.Code != 400 || !strings.HasPrefix(last.Body.String(), "Failed to set new level: ") {
		t.Errorf("got %d %.100q", last.Code, last.Body)
	}
}

func TestPages(t *testing.T) {
	h, _, quits := newHandler(t, Sources{})
	if w := ask1(h, "GET", "/"); w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("dashboard: got %d %v", w.Code, w.Header())
	} else {
		for _, path := range []string{"debug/pprof/profile", "debug/pprof/heap", "debug/pprof/heap/profiling", "quitquitquit", "config_dump", "logging"} {
			if !strings.Contains(w.Body.String(), `<a href="`+path+`">`+path+"</a>") {
				t.Errorf("dashboard: no link to %s", path)
			}
		}
		if !strings.Contains(w.Body.String(), "<title>Ztunnel Admin</title>") {
			t.Error("dashboard: no title")
		}
	}
	for _, path := range []string{"/x", "/config_dump/", "//", "/debug/pprof/", "/stats"} {
		if w := ask1(h, "GET", path); w.Code != 404 || w.Body.Len() != 0 {
			t.Errorf("%s: got %d %q", path, w.Code, w.Body)
		}
	}
	if w := ask1(h, "GET", "/quitquitquit"); w.Code != 405 || w.Body.Len() != 0 || *quits != 0 {
		t.Errorf("GET quitquitquit: got %d %q, %d quits", w.Code, w.Body, *quits)
	}
	if w := ask1(h, "POST", "/quitquitquit?x"); w.Code != 200 || w.Body.String() != "shutdown now\n" || *quits != 1 {
		t.Errorf("POST quitquitquit: got %d %q, %d quits", w.Code, w.Body, *quits)
	}
}

func TestProfiles(t *testing.T) {
	h, _, _ := newHandler(t, Sources{})
	for _, path := range []string{"heap", "allocs", "goroutine"} {
		w := ask1(h, "GET", "/debug/pprof/"+path)
		if w.Code != 200 || !bytes.HasPrefix(w.Body.Bytes(), []byte{0x1f, 0x8b}) || w.Header().Get("Content-Type") != "" {
			t.Errorf("%s: got %d %v, %d bytes", path, w.Code, w.Header(), w.Body.Len())
		}
	}
	tests := []struct {
		target string
		status int
		body   string
	}{
		{"/debug/pprof/profile?seconds=0", 400, "invalid seconds value; expected 1-300\n"},
		{"/debug/pprof/profile?seconds=301", 400, "invalid seconds value; expected 1-300\n"},
		{"/debug/pprof/profile?seconds=x", 400, "invalid seconds value; expected 1-300\n"},
		{"/debug/pprof/profile?frequency=0", 400, "invalid frequency value; expected 1-1000\n"},
		{"/debug/pprof/profile?frequency=1001", 400, "invalid frequency value; expected 1-1000\n"},
		{"/debug/pprof/trace?seconds=0", 400, "invalid seconds value; expected 1-300\n"},
		{"/debug/pprof/heap/profiling", 200, "heap profiling active: true\n"},
		{"/debug/pprof/heap/profiling?activate=false", 200, "heap profiling active: true\n"},
		{"/debug/pprof/heap/profiling?activate=yes", 400, "invalid activate value \"yes\"; expected true or false\n"},
	}
	for _, tt := range tests {
		if w := ask1(h, "GET", tt.target); w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%s: got %d %q", tt.target, w.Code, w.Body)
		}
	}
}

func TestRecordEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		run := func(ctx context.Context, took time.Duration) (time.Duration, int) {
			stopped := 0
			r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
			start := time.Now()
			record(httptest.NewRecorder(), r, took, func() error { return nil }, func() { stopped++ })
			return time.Since(start), stopped
		}
		if took, stopped := run(t.Context(), 3*time.Second); took != 3*time.Second || stopped != 1 {
			t.Errorf("its time: ended after %v, stopped %d times", took, stopped)
		}
		client, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		if took, _ := run(withClient(t.Context(), client), time.Minute); took != time.Second {
			t.Errorf("client gone: ended after %v", took)
		}
		life, end := context.WithTimeout(t.Context(), 2*time.Second)
		defer end()
		if took, _ := run(life, time.Minute); took != 2*time.Second {
			t.Errorf("server gone: ended after %v", took)
		}
	})
}
