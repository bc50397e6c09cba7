package main

import (
	"fmt"
	"io"
	"slices"
)

// table has the results of all rounds, by kind and contender.
type table struct {
	results map[string]map[string][]result
}

func (t *table) add(kind, contender string, r result) {
	if t.results[kind] == nil {
		t.results[kind] = map[string][]result{}
	}
	t.results[kind][contender] = append(t.results[kind][contender], r)
}

// print writes medians and ratios; above 1 is better than the peer. It fails where one is below want.
func (t *table) print(out io.Writer, want float64) error {
	var short error
	_, _ = fmt.Fprintf(out, "%-8s %12s %12s %7s   %10s %10s %7s   %10s %10s %7s\n", "names", "troupe q/s", "dnsmasq q/s", "ratio",
		"troupe p99", "dnsmasq p99", "ratio", "troupe CPU", "dnsmasq CPU", "ratio")
	for _, k := range kinds {
		ours, theirs := t.results[k.kind]["troupe"], t.results[k.kind]["dnsmasq"]
		var rates, tails, costs []float64
		for i := range ours {
			rates = append(rates, ours[i].rate/theirs[i].rate)
			tails = append(tails, float64(theirs[i].p99)/float64(ours[i].p99))
			costs = append(costs, float64(theirs[i].cpu)/float64(ours[i].cpu))
		}
		rate, tail := median(rates), median(tails)
		_, _ = fmt.Fprintf(out, "%-8s %12.0f %12.0f %7.2f   %8.0fµs %9.0fµs %7.2f   %8.1fµs %9.1fµs %7.2f\n", k.kind,
			of(ours, result.perSecond), of(theirs, result.perSecond), rate, of(ours, result.micros), of(theirs, result.micros), tail,
			of(ours, result.cost), of(theirs, result.cost), median(costs))
		if rate < want || tail < want {
			short = fmt.Errorf("names of kind %s: ratios %.2f and %.2f, want %.2f", k.kind, rate, tail, want)
		}
	}
	return short
}

func (r result) perSecond() float64 { return r.rate }
func (r result) micros() float64    { return float64(r.p99.Microseconds()) }

func (r result) cost() float64 { return float64(r.cpu.Nanoseconds()) / 1000 }

func of(all []result, value func(result) float64) float64 {
	var values []float64
	for _, r := range all {
		values = append(values, value(r))
	}
	return median(values)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
