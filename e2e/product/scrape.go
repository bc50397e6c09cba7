package product

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// The endpoints, from inside the proxy's own namespace.
const (
	adminEndpoint = "http://127.0.0.1:15000"
	statsEndpoint = "http://127.0.0.1:15020"
	readyEndpoint = "http://127.0.0.1:15021"
)

// Get asks one of the proxy's endpoints from inside its namespace.
func (p *Proxy) Get(method, url string) (status int, body string, err error) {
	response, err := p.request(method, url, "")
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	return response.StatusCode, string(raw), err
}

// request asks for an encoding, or for none. The caller closes the answer's body.
func (p *Proxy) request(method, url, encoding string) (*http.Response, error) {
	client := &http.Client{
		Transport: &http.Transport{DialContext: p.ns.Dial, DisableKeepAlives: true, DisableCompression: true},
		Timeout:   5 * time.Second,
	}
	request, err := http.NewRequestWithContext(context.Background(), method, url, nil)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	if encoding != "" {
		request.Header.Set("Accept-Encoding", encoding)
	}
	return client.Do(request)
}

// MetricsIn scrapes in an encoding and returns the decoded text and the encoding that the answer has.
func (p *Proxy) MetricsIn(encoding string, decode func(io.Reader) (io.Reader, error)) (text, got string) {
	p.tb.Helper()
	response, err := p.request(http.MethodGet, statsEndpoint+"/metrics", encoding)
	if err != nil {
		p.tb.Fatalf("proxy %s: scraping as %s: %v", p.name, encoding, err)
	}
	defer func() { _ = response.Body.Close() }()
	decoded, err := decode(response.Body)
	if err != nil {
		p.tb.Fatalf("proxy %s: decoding %s: %v", p.name, encoding, err)
	}
	raw, err := io.ReadAll(decoded)
	if err != nil {
		p.tb.Fatalf("proxy %s: decoding %s: %v", p.name, encoding, err)
	}
	return string(raw), response.Header.Get("Content-Encoding")
}

// Admin asks the admin endpoint and wants status 200.
func (p *Proxy) Admin(method, path string) string {
	p.tb.Helper()
	status, body, err := p.Get(method, adminEndpoint+path)
	if err != nil || status != http.StatusOK {
		p.tb.Fatalf("proxy %s: %s %s: status %d, error %v, want 200", p.name, method, path, status, err)
	}
	return body
}

// WaitReady waits until the proxy says that it is ready. If it ends instead, the test fails.
func (p *Proxy) WaitReady() {
	p.tb.Helper()
	last := "nothing"
	ready := eventually(readyLimit, func() bool {
		if p.Ended() {
			return true
		}
		status, body, err := p.Get(http.MethodGet, readyEndpoint+"/healthz/ready")
		if err != nil {
			last = err.Error()
			return false
		}
		last = fmt.Sprintf("%d %s", status, strings.TrimSpace(body))
		return status == http.StatusOK
	})
	switch {
	case p.Ended():
		p.stopped = true
		p.tb.Fatalf("proxy %s ended with code %d before it was ready", p.name, p.cmd.ProcessState.ExitCode())
	case !ready:
		p.tb.Fatalf("proxy %s isn't ready after %v; it said: %s", p.name, readyLimit, last)
	}
}

// IsReady asks the readiness endpoint once.
func (p *Proxy) IsReady() bool {
	status, _, err := p.Get(http.MethodGet, readyEndpoint+"/healthz/ready")
	return err == nil && status == http.StatusOK
}

// MetricsText is one scrape as text.
func (p *Proxy) MetricsText() string {
	p.tb.Helper()
	status, body, err := p.Get(http.MethodGet, statsEndpoint+"/metrics")
	if err != nil || status != http.StatusOK {
		p.tb.Fatalf("proxy %s: scraping: status %d, error %v", p.name, status, err)
	}
	return body
}

// Metrics scrapes the proxy.
func (p *Proxy) Metrics() Metrics {
	p.tb.Helper()
	m, err := ParseMetrics(p.MetricsText())
	if err != nil {
		p.tb.Fatalf("proxy %s: %v", p.name, err)
	}
	return m
}

// ExpectSum scrapes until the sum of name over the series with labels is want.
func (p *Proxy) ExpectSum(name string, labels Labels, want float64) {
	p.tb.Helper()
	var m Metrics
	if !eventually(seeLimit, func() bool { m = p.Metrics(); return m.Sum(name, labels) == want }) {
		p.tb.Errorf("proxy %s: %s%v is %v, want %v; it has %+v", p.name, name, labels, m.Sum(name, labels), want, m.Of(name))
	}
}

// WaitUnready waits until the readiness endpoint stops answering: the proxy has begun to stop.
func (p *Proxy) WaitUnready() {
	p.tb.Helper()
	if !eventually(seeLimit, func() bool {
		status, _, err := p.Get(http.MethodGet, readyEndpoint+"/healthz/ready")
		return err != nil || status != http.StatusOK
	}) {
		p.tb.Fatalf("proxy %s is still ready after %v", p.name, seeLimit)
	}
}
