package trace

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// parsed is OpenMetrics text as a strict reader takes it.
type parsed struct {
	order   []string // families
	kinds   map[string]string
	samples map[string]float64 // by name and labels
}

var sampleLine = regexp.MustCompile(`^([a-z_][a-z0-9_]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\+Inf|-?[0-9]+(?:\.[0-9]+)?)$`)

// parseExposition refuses what the OpenMetrics specification forbids: samples outside of their family, families twice,
// counters without _total, histograms that do not grow or lack +Inf, samples twice, and text after # EOF.
func parseExposition(text string) (*parsed, error) {
	p := &parsed{kinds: map[string]string{}, samples: map[string]float64{}}
	body, ok := strings.CutSuffix(text, "# EOF\n")
	if !ok {
		return nil, errors.New("no # EOF at the end")
	}
	family, last, lastKey := "", 0.0, ""
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		if rest, isHelp := strings.CutPrefix(line, "# HELP "); isHelp {
			family, _, _ = strings.Cut(rest, " ")
			if slices.Contains(p.order, family) {
				return nil, fmt.Errorf("family %s twice", family)
			}
			p.order = append(p.order, family)
			continue
		}
		if rest, isType := strings.CutPrefix(line, "# TYPE "); isType {
			name, kind, _ := strings.Cut(rest, " ")
			if name != family {
				return nil, fmt.Errorf("type of %s within %s", name, family)
			}
			p.kinds[family] = kind
			continue
		}
		if rest, isUnit := strings.CutPrefix(line, "# UNIT "); isUnit {
			name, unit, _ := strings.Cut(rest, " ")
			if name != family || !strings.HasSuffix(name, "_"+unit) {
				return nil, fmt.Errorf("unit %q of %s within %s", unit, name, family)
			}
			continue
		}
		m := sampleLine.FindStringSubmatch(line)
		if m == nil {
			return nil, fmt.Errorf("no sample: %q", line)
		}
		suffix, ok := strings.CutPrefix(m[1], family)
		allowed := map[string][]string{"counter": {"_total"}, "gauge": {""}, "histogram": {"_sum", "_count", "_bucket"}}[p.kinds[family]]
		if !ok || !slices.Contains(allowed, suffix) {
			return nil, fmt.Errorf("sample %s within the %s %s", m[1], p.kinds[family], family)
		}
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, err
		}
		if _, twice := p.samples[m[1]+m[2]]; twice {
			return nil, fmt.Errorf("sample %s%s twice", m[1], m[2])
		}
		p.samples[m[1]+m[2]] = value
		if suffix == "_bucket" {
			key := regexp.MustCompile(`,le="[^"]*"`).ReplaceAllString(m[2], "")
			if key == lastKey && value < last {
				return nil, fmt.Errorf("bucket %s falls", line)
			}
			last, lastKey = value, key
			if strings.Contains(m[2], `le="+Inf"`) && value != p.samples[family+"_count"+key] {
				return nil, fmt.Errorf("bucket +Inf of %s is not its count", line)
			}
		}
	}
	return p, nil
}

func TestExpositionIsOpenMetrics(t *testing.T) {
	n := newNode(t, nodeOptions{name: "a", ratio: 1})
	fillEverything(n)
	var b strings.Builder
	if err := n.WriteMetrics(&b); err != nil {
		t.Fatal(err)
	}
	p, err := parseExposition(b.String())
	if err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	for i, prefix := range []string{"process_", "tokio_", "istio_", "workload_manager_", "troupe_"} {
		first := slices.IndexFunc(p.order, func(f string) bool { return strings.HasPrefix(f, prefix) })
		if first < i {
			t.Errorf("families of %s do not come in their place: %v", prefix, p.order)
		}
		for j := range first {
			if strings.HasPrefix(p.order[j], prefix) {
				t.Errorf("families of %s lie apart: %v", prefix, p.order)
			}
		}
	}
	groups := slices.Compact(slices.Collect(func(yield func(string) bool) {
		for _, f := range p.order {
			prefix, _, _ := strings.Cut(f, "_")
			if !yield(prefix) {
				return
			}
		}
	}))
	if want := []string{"process", "tokio", "istio", "workload", "troupe"}; !slices.Equal(groups, want) {
		t.Errorf("groups come as %v, want %v", groups, want)
	}
}

func TestHistogramsAreWrittenAsTheReferenceDoes(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	h := n.Metrics().DNSUpstreamDuration.With("aaaa", "tcp", "cart", "v1")
	for _, d := range []time.Duration{500 * time.Microsecond, 2 * time.Millisecond, 5 * time.Second, 6 * time.Second} {
		h.Observe(d)
	}
	const labels = `request_query_type="aaaa",request_protocol="tcp",source_canonical_service="cart",source_canonical_revision="v1"`
	const name = "istio_dns_upstream_request_duration_seconds"
	want := "# HELP " + name + " Total time in seconds Istio takes to get DNS response from upstream (unstable).\n" +
		"# TYPE " + name + " histogram\n# UNIT " + name + " seconds\n" +
		name + "_sum{" + labels + "} 11.0025\n" + name + "_count{" + labels + "} 4\n"
	for _, b := range []struct{ le, n string }{
		{"0.0005", "1"}, {"0.001", "1"}, {"0.01", "2"}, {"0.1", "2"}, {"1.0", "2"}, {"5.0", "3"}, {"+Inf", "4"},
	} {
		want += name + "_bucket{" + labels + `,le="` + b.le + `"} ` + b.n + "\n"
	}
	if got := n.exposition(t); !strings.Contains(got, want) {
		t.Errorf("got\n%s\nwant it to contain\n%s", got, want)
	}
}

func TestLabelValuesReadBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		var b strings.Builder
		e := &exposition{w: &b}
		e.labels([]string{"a"}, []string{value})
		e.flush()
		quoted, ok := strings.CutPrefix(strings.TrimSuffix(b.String(), `"}`), `{a="`)
		if !ok || strings.Contains(quoted, "\n") {
			t.Fatalf("%q written as %q", value, b.String())
		}
		back := strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n").Replace(quoted)
		if back != value {
			t.Fatalf("%q reads back as %q", value, back)
		}
	})
}

func TestNumbersAreWrittenWithADigitAfterThePoint(t *testing.T) {
	for v, want := range map[float64]string{0: "0.0", 1: "1.0", 0.0005: "0.0005", 1e-7: "0.0000001", 12.5: "12.5", math.Inf(1): "+Inf"} {
		if got := formatFloat(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

type brokenWriter struct{ after int }

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.after--; w.after < 0 {
		return 0, errors.New("gone")
	}
	return len(p), nil
}

func TestAWriterThatFailsIsReported(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	if err := n.WriteMetrics(&brokenWriter{}); err == nil {
		t.Error("no error from a writer that fails")
	}
}
