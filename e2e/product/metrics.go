package product

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
)

// The traffic metrics' names.
const (
	ConnectionsOpened = "istio_tcp_connections_opened_total"
	ConnectionsClosed = "istio_tcp_connections_closed_total"
	ConnectionsFailed = "istio_tcp_connections_failed_total"
	BytesReceived     = "istio_tcp_received_bytes_total"
	BytesSent         = "istio_tcp_sent_bytes_total"
)

// Labels choose series: those that have all of them.
type Labels map[string]string

// Metrics are one scrape.
type Metrics []Series

// Series is one line of a scrape.
type Series struct {
	Name   string
	Labels Labels
	Value  float64
}

// Sum adds up the series of name that have all labels.
func (m Metrics) Sum(name string, labels Labels) float64 {
	sum := 0.0
	for _, s := range m {
		if s.Name == name && s.Labels.include(labels) {
			sum += s.Value
		}
	}
	return sum
}

// Of lists the series of name.
func (m Metrics) Of(name string) Metrics {
	var of Metrics
	for _, s := range m {
		if s.Name == name {
			of = append(of, s)
		}
	}
	return of
}

func (l Labels) include(want Labels) bool {
	for name, value := range want {
		if got, there := l[name]; !there || got != value {
			return false
		}
	}
	return true
}

// ParseMetrics reads the text form of a scrape, Prometheus' or OpenMetrics'.
func ParseMetrics(text string) (Metrics, error) {
	var all Metrics
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s, err := parseSeries(line)
		if err != nil {
			return nil, fmt.Errorf("metrics line %q: %w", line, err)
		}
		all = append(all, s)
	}
	return all, lines.Err()
}

func parseSeries(line string) (Series, error) {
	end := strings.IndexAny(line, "{ ")
	if end < 0 {
		return Series{}, fmt.Errorf("no value")
	}
	s := Series{Name: line[:end], Labels: Labels{}}
	rest := line[end:]
	if rest[0] == '{' {
		rest = rest[1:]
		for rest != "" && rest[0] != '}' {
			name, quoted, found := strings.Cut(rest, "=")
			if !found {
				return Series{}, fmt.Errorf("label without a value")
			}
			text, err := strconv.QuotedPrefix(quoted)
			if err != nil {
				return Series{}, fmt.Errorf("label %s: %w", name, err)
			}
			value, err := strconv.Unquote(text)
			if err != nil {
				return Series{}, fmt.Errorf("label %s: %w", name, err)
			}
			s.Labels[name] = value
			rest = strings.TrimPrefix(quoted[len(text):], ",")
		}
		rest = strings.TrimPrefix(rest, "}")
	}
	value, _, _ := strings.Cut(strings.TrimSpace(rest), " ") // an exemplar or a timestamp may follow
	var err error
	s.Value, err = strconv.ParseFloat(value, 64)
	return s, err
}
