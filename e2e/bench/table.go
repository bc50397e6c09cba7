package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/troupe-mesh/troupe/e2e/bench/load"
)

func runOf(c *contender) load.Run { return load.Run{Way: c.way} }

func (p *plan) printHead() {
	_, _ = fmt.Fprint(p.out, "\n| scenario | contender | n | median rate | min … max | × | CPU per unit | min … max | × | p50 us | p99 us |\n",
		"|---|---|---|---|---|---|---|---|---|---|---|\n")
}

// printRows prints a scenario's rows. Ratios are against the first contender, round by round.
func (p *plan) printRows(scenario string, names []string, samples [][]sample) {
	unit, cpuUnit, scale := "op/s", "us", 1e6
	rateScale := 1.0
	if isThroughput(scenario) {
		unit, cpuUnit, scale, rateScale = "Gb/s", "s/GiB", 1, 8*1.073741824
	}
	for i, name := range names {
		rates := each(samples[i], func(s sample) float64 { return s.Units / s.Seconds * rateScale })
		cpu := each(samples[i], func(s sample) float64 { return s.cpu / s.Units * scale })
		p50 := each(samples[i], func(s sample) float64 { return float64(s.P50.Microseconds()) })
		p99 := each(samples[i], func(s sample) float64 { return float64(s.P99.Microseconds()) })
		rateRatio, cpuRatio := "1", "1"
		if i > 0 {
			baseRates := each(samples[0], func(s sample) float64 { return s.Units / s.Seconds * rateScale })
			baseCPU := each(samples[0], func(s sample) float64 { return s.cpu / s.Units * scale })
			rateRatio = fmt.Sprintf("%.2f", median(ratios(rates, baseRates)))
			cpuRatio = fmt.Sprintf("%.2f", median(ratios(cpu, baseCPU)))
		}
		cells := []string{
			scenario, name, fmt.Sprint(len(rates)),
			number(median(rates)) + " " + unit, number(slices.Min(rates)) + " … " + number(slices.Max(rates)), rateRatio,
			number(median(cpu)) + " " + cpuUnit, number(slices.Min(cpu)) + " … " + number(slices.Max(cpu)), cpuRatio,
			latency(median(p50)), latency(median(p99)),
		}
		_, _ = fmt.Fprintf(p.out, "| %s |\n", strings.Join(cells, " | "))
	}
}

func isThroughput(scenario string) bool {
	return strings.HasPrefix(scenario, "tput") || scenario == "echo"
}

func each(samples []sample, f func(sample) float64) []float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = f(s)
	}
	return values
}

func ratios(of, base []float64) []float64 {
	r := make([]float64, 0, len(of))
	for i := range of {
		if base[i] > 0 {
			r = append(r, of[i]/base[i])
		}
	}
	return r
}

// median of an even number of values is the mean of the middle two; of none, zero.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

func number(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func latency(us float64) string {
	if us == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", us)
}
