package admin

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const exposed = "# HELP x y.\n# TYPE x counter\nx_total 1\n# EOF\n"

func scrape(h http.Handler, path string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func decoded(t *testing.T, name string, body []byte) string {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	var err error
	switch name {
	case "zstd":
		var d *zstd.Decoder
		if d, err = zstd.NewReader(r); err == nil {
			defer d.Close()
			r = d
		}
	case "br":
		r = brotli.NewReader(r)
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestStatsCompression(t *testing.T) {
	h := StatsHandler(func(w io.Writer) error { _, err := io.WriteString(w, exposed); return err })
	tests := []struct {
		accept string
		want   string // empty: not compressed
		status int
	}{
		{"", "", 200},
		{"gzip", "gzip", 200},
		{"GZIP", "gzip", 200},
		{"x-gzip", "gzip", 200},
		{"zstd", "zstd", 200},
		{"br", "br", 200},
		{"deflate", "deflate", 200},
		{"gzip, deflate, br, zstd", "zstd", 200},
		{"deflate, gzip", "gzip", 200},
		{"zstd;q=0.5, gzip;q=0.8", "gzip", 200},
		{"zstd;q=0.5,br; q=0.501", "br", 200},
		{"identity, gzip;q=0.5", "", 200},
		{"identity;q=0.5, gzip;q=0.5", "gzip", 200},
		{"*", "zstd", 200},
		{"zstd;q=0, *;q=0.1", "br", 200},
		{"zstd;q=0", "", 200},
		{"unheard-of", "", 200},
		{"gzip;q=2, br;q=x, zstd;level=1", "", 200},
		{"identity;q=0", "", 406},
		{"*;q=0", "", 406},
		{"identity;q=0, gzip", "gzip", 200},
		{",,;q=1", "", 200},
	}
	for _, tt := range tests {
		header := http.Header{}
		if tt.accept != "" {
			header.Set("Accept-Encoding", tt.accept)
		}
		w := scrape(h, "/metrics", header)
		if w.Code != tt.status || w.Header().Get("Content-Encoding") != tt.want || w.Header().Get("Vary") != "accept-encoding" {
			t.Errorf("%q: got %d %v, want %d %q", tt.accept, w.Code, w.Header(), tt.status, tt.want)
			continue
		}
		if hasLength := w.Header().Get("Content-Length") != ""; hasLength != (tt.want == "") {
			t.Errorf("%q: content-length %q", tt.accept, w.Header().Get("Content-Length"))
		}
		if got := decoded(t, tt.want, w.Body.Bytes()); got != exposed {
			t.Errorf("%q: body %q", tt.accept, got)
		}
	}
}

func TestSmallBodyIsNotCompressed(t *testing.T) {
	h := StatsHandler(func(w io.Writer) error { _, err := io.WriteString(w, "# EOF\n"); return err })
	w := scrape(h, "/stats/prometheus", http.Header{"Accept-Encoding": {"gzip"}})
	if w.Header().Get("Content-Encoding") != "" || w.Body.String() != "# EOF\n" {
		t.Errorf("got %v %q", w.Header(), w.Body)
	}
}

func TestMetricsType(t *testing.T) {
	const open = "application/openmetrics-text;charset=utf-8;version=1.0.0"
	for accept, want := range map[string]string{
		"":                             "text/plain; charset=utf-8",
		"*/*":                          "text/plain; charset=utf-8",
		"application/openmetrics-text": open,
		"application/openmetrics-text;version=1.0.0;q=0.5,text/plain": open,
		"text/plain;q=0.2, Application/OpenMetrics-Text; version=1":   open,
		"application/openmetrics-text2":                               "text/plain; charset=utf-8",
	} {
		if got := metricsType([]string{accept}); got != want {
			t.Errorf("%q: got %q, want %q", accept, got, want)
		}
	}
}

func TestStatsFailures(t *testing.T) {
	h := StatsHandler(func(io.Writer) error { return errors.New("no metrics today") })
	if w := scrape(h, "/metrics", nil); w.Code != 500 || w.Body.String() != "no metrics today" {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
	if w := scrape(h, "/metrics/", nil); w.Code != 404 || w.Body.Len() != 0 {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
}

func FuzzNegotiate(f *testing.F) {
	for _, s := range []string{"gzip;q=0.5, *;q=0", "identity;q=0", "br;;q=1,,", "zstd;q=1e3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		e, ok := negotiate([]string{accept})
		if e >= encodings || !ok && e != encodeIdentity {
			t.Fatalf("%q: got %d %v", accept, e, ok)
		}
		if e != encodeIdentity && !strings.Contains(strings.ToLower(accept), encodingNames[e]) && !strings.Contains(accept, "*") {
			t.Fatalf("%q: chose %s", accept, encodingNames[e])
		}
	})
}
