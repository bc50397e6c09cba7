package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/troupe-mesh/troupe/e2e/bench/load"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// plan is one invocation: what to measure, how often, and where its things are.
type plan struct {
	out, log   io.Writer
	scenarios  []string
	contenders []string
	rounds     int
	bytes      int64
	ops        int
	idle       int
	settle     int    // looks, a second apart, in which memory may not change to count as settled; 0 is settledFor
	binary     string // the product's
	caDir      string
	lenient    bool   // costs that are too high are no error, and nobody waits for exports to end
	appPort    uint16 // the application's, on every loopback address
}

// plainScenario compares plain TCP through one proxy, with contenders of its own.
const plainScenario = "plain"

// run measures everything and prints the tables.
func (p *plan) run() (err error) {
	dir, err := os.MkdirTemp("", "troupe-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	p.caDir = filepath.Join(dir, "ca")
	if p.binary == "" && (slices.Contains(p.contenders, "troupe") || slices.Contains(p.scenarios, plainScenario) ||
		slices.Contains(p.scenarios, shareScenario) || slices.Contains(p.scenarios, tracingScenario)) {
		p.binary = filepath.Join(dir, "troupe")
		if err := product.Build(p.binary); err != nil {
			return err
		}
	}
	if p.appPort, err = freePort(); err != nil {
		return err
	}
	app, err := startRole(role{Kind: "app", Listen: fmt.Sprintf("0.0.0.0:%d", p.appPort)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, app.end()) }()

	if p.idle > 0 {
		if err := p.measureIdle(); err != nil {
			return err
		}
	}
	if slices.Contains(p.scenarios, shareScenario) {
		if err := p.measureShare(); err != nil {
			return err
		}
	}
	if slices.Contains(p.scenarios, tracingScenario) {
		if err := p.compareTracing(); err != nil {
			return err
		}
	}
	tunnelled := slices.DeleteFunc(slices.Clone(p.scenarios), func(s string) bool {
		return s == plainScenario || s == shareScenario || s == tracingScenario
	})
	if len(tunnelled) > 0 {
		if err := p.compare(p.contenders, tunnelled); err != nil {
			return err
		}
	}
	if slices.Contains(p.scenarios, plainScenario) {
		return p.compare([]string{"splice", "troupe-plain"}, []string{"tput1", "rr64x1k", "cps16"})
	}
	return nil
}

// compare starts the contenders, measures them in the scenarios and prints a table. The first is the yardstick.
func (p *plan) compare(names, scenarios []string) (err error) {
	var contenders []*contender
	defer func() {
		for _, c := range contenders {
			err = errors.Join(err, c.end())
		}
	}()
	for i, name := range names {
		c, err := p.start(name, byte(i+1))
		if err != nil {
			return err
		}
		contenders = append(contenders, c)
	}
	p.printHead()
	for _, scenario := range scenarios {
		samples, err := p.measure(contenders, scenario)
		if err != nil {
			return err
		}
		p.printRows(scenario, names, samples)
	}
	return nil
}

// sample is what one contender did in one round.
type sample struct {
	load.Outcome
	cpu float64 // seconds, of all its proxies
}

// measure does the rounds of one scenario and returns the samples by contender.
func (p *plan) measure(contenders []*contender, scenario string) ([][]sample, error) {
	return p.rounded(contenders, scenario, p.one)
}

// rounded does the rounds of one scenario by what does one run.
func (p *plan) rounded(contenders []*contender, scenario string, one func(*contender, string, int) (sample, error)) ([][]sample, error) {
	samples := make([][]sample, len(contenders))
	order := make([]int, len(contenders))
	for i := range order {
		order[i] = i
	}
	for _, c := range contenders { // what comes first pays for what is cold: not measured
		if _, err := one(c, scenario, 16); err != nil {
			return nil, err
		}
	}
	for round := range p.rounds {
		for _, i := range order {
			s, err := one(contenders[i], scenario, 1)
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], s)
			_, _ = fmt.Fprintf(p.log, "%s round %d %s: %.3g/s, %.3g s CPU per unit\n",
				scenario, round+1, contenders[i].name, s.Units/s.Seconds, s.cpu/s.Units)
		}
		slices.Reverse(order)
	}
	return samples, nil
}

// one does one run, of a part of the usual size, in a load process of its own.
func (p *plan) one(c *contender, scenario string, part int) (s sample, err error) {
	run := load.Run{Way: c.way, Scenario: scenario, Bytes: max(1, p.bytes/int64(part)), Ops: max(1, p.ops/part)}
	switch scenario {
	case "cps16", "rr1x1":
		run.Ops = max(1, run.Ops/3)
	case "echo":
		run.Bytes = max(1, run.Bytes/2)
	}
	before, err := c.cpu()
	if err != nil {
		return s, err
	}
	l, err := startRole(role{Kind: "load", Run: run})
	if err != nil {
		return s, err
	}
	line, err := l.line()
	if err = errors.Join(err, l.end()); err != nil {
		return s, fmt.Errorf("%s through %s: %w", scenario, c.name, err)
	}
	if err := json.Unmarshal([]byte(line), &s.Outcome); err != nil {
		return s, fmt.Errorf("%s through %s said %q: %w", scenario, c.name, line, err)
	}
	after, err := c.cpu()
	s.cpu = after - before
	return s, err
}

// cpu is the processor time that the contender's proxies have used, in seconds.
func (c *contender) cpu() (float64, error) {
	total := 0.0
	for _, p := range c.proxies {
		used, err := p.cpu()
		if err != nil {
			return 0, fmt.Errorf("reading the CPU time of %s: %w", c.name, err)
		}
		total += used.Seconds()
	}
	return total, nil
}
