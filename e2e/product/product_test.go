package product

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseMetrics(t *testing.T) {
	const text = "# HELP istio_tcp_sent_bytes The size.\n# TYPE istio_tcp_sent_bytes counter\n" +
		`istio_tcp_sent_bytes_total{reporter="source",destination_workload="a \"b\", c}"} 22` + "\n" +
		`istio_tcp_sent_bytes_total{reporter="destination"} 1.5e3 1234` + "\nprocess_open_fds 12\n# EOF\n"
	m, err := ParseMetrics(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Sum(BytesSent, nil); got != 1522 {
		t.Errorf("the sum of all is %v, want 1522", got)
	}
	if got := m.Sum(BytesSent, Labels{"reporter": "source", "destination_workload": `a "b", c}`}); got != 22 {
		t.Errorf("the sum of the source's is %v, want 22", got)
	}
	if got := m.Sum("process_open_fds", nil); got != 12 {
		t.Errorf("process_open_fds is %v, want 12", got)
	}
	for _, bad := range []string{"name", `name{a} 1`, `name{a="} 1`, "name x"} {
		if _, err := ParseMetrics(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestLogLinesAreCutWhereTheyEnd(t *testing.T) {
	l := newLog()
	for _, piece := range []string{`{"scope":"acc`, "ess\",\"bytes_sent\":22}\nplain\n", "unfinished"} {
		if n, err := l.Write([]byte(piece)); n != len(piece) || err != nil {
			t.Fatalf("Write: %d, %v", n, err)
		}
	}
	p := &Proxy{log: l}
	found := p.AccessLog()
	if len(found) != 1 || !found[0].has(Fields{"bytes_sent": "22", "error": Absent}) {
		t.Errorf("access log %v", found)
	}
	if found[0].has(Fields{"bytes_sent": Absent}) || found[0].has(Fields{"error": "x"}) {
		t.Error("has says yes to what isn't so")
	}
	if got := l.tail(2); got != "plain\nunfinished" {
		t.Errorf("tail %q", got)
	}
}
