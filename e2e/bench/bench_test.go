package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/sandbox"
)

// The smoke test runs in a network namespace of its own, where its ports are free.
func TestMain(m *testing.M) {
	runRole()
	os.Exit(sandbox.Main(m, nil))
}

// TestSmoke runs everything once, small, against the baseline, so that the harness doesn't rot.
func TestSmoke(t *testing.T) {
	sandbox.Require(t)
	var out bytes.Buffer
	p := plan{
		out: &out, log: io.Discard, rounds: 1, bytes: 4 << 20, ops: 200, idle: 20, settle: 1,
		scenarios: []string{"tput1", "tput8", "echo", "rr1x1", "rr64x1k", "cps16"}, contenders: []string{"v1", "thin"},
	}
	if err := p.run(); err != nil {
		t.Fatal(err)
	}
	for _, scenario := range append(p.scenarios, "RSS growth") {
		if !strings.Contains(out.String(), "| "+scenario) {
			t.Errorf("the tables lack %s:\n%s", scenario, out.String())
		}
	}
}

// TestTracingSmoke compares nothing: a few connections say nothing about costs.
func TestTracingSmoke(t *testing.T) {
	sandbox.Require(t)
	var out bytes.Buffer
	p := plan{out: &out, log: io.Discard, rounds: 1, ops: 300, scenarios: []string{tracingScenario}, lenient: true}
	if err := p.run(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{sampled, traced} {
		if !strings.Contains(out.String(), "\n| "+name+" | ") {
			t.Errorf("the tables lack %s:\n%s", name, out.String())
		}
	}
	t.Log(out.String())
}

func TestUnknownNamesAreRefused(t *testing.T) {
	sandbox.Require(t)
	for _, p := range []plan{
		{contenders: []string{"v0"}, scenarios: []string{"tput1"}},
		{contenders: []string{"v1"}, scenarios: []string{"tput0"}, bytes: 1, ops: 1, rounds: 1},
	} {
		p.out, p.log = io.Discard, io.Discard
		if err := p.run(); err == nil {
			t.Errorf("%v %v: no error", p.contenders, p.scenarios)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(test.values); got != test.want {
			t.Errorf("median of %v is %v, want %v", test.values, got, test.want)
		}
	}
}

func TestRowsCompareRoundByRound(t *testing.T) {
	var out bytes.Buffer
	p := plan{out: &out}
	sampled := func(seconds ...float64) (all []sample) {
		for _, s := range seconds {
			one := sample{cpu: 2 * s}
			one.Units, one.Seconds = 1, s
			all = append(all, one)
		}
		return all
	}
	// The machine was twice as slow in the second round; the second contender is twice as fast in each.
	p.printRows("cps16", []string{"a", "b"}, [][]sample{sampled(1, 2, 1), sampled(0.5, 1, 0.5)})
	if got := out.String(); !strings.Contains(got, "| b | 3 | 2 op/s | 1 … 2 | 2.00 |") || !strings.Contains(got, "| 0.50 | - | - |") {
		t.Errorf("got:\n%s", got)
	}
}

func TestSharesOf(t *testing.T) {
	const top = `Duration: 10s, Total samples = 2000000us (20%)
Active filters:
   show=^github.com/
      flat  flat%   sum%        cum   cum%
  600000us 30.00% 30.00%   600000us 30.00%  github.com/troupe-mesh/troupe/transport/socket.(*kernel).Dial
  200000us 10.00% 40.00%   900000us 45.00%  github.com/asynkron/protoactor-go/actor.(*PID).ref
  100000us  5.00% 45.00%   900000us 45.00%  github.com/troupe-mesh/troupe/actors/kit.(*cell).turn
   40000us  2.00% 47.00%    40000us  2.00%  github.com/troupe-mesh/troupe/actors/flow.(*accept).started
   20000us  1.00% 48.00%    20000us  1.00%  github.com/troupe-mesh/troupe/actors/logs.(*queue).run (inline)
         0     0% 48.00%    20000us  1.00%  github.com/troupe-mesh/troupe/actors/kit.Do
`
	got, err := sharesOf(top)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{15, 1, 2, 30, 52} {
		if got[i] < want-0.01 || got[i] > want+0.01 {
			t.Errorf("%s: %.2f %%, want %v %%", parts[i].name, got[i], want)
		}
	}
	if _, err := sharesOf("no profile"); err == nil {
		t.Error("no profile: no error")
	}
}
