package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/troupe-mesh/troupe/e2e/product"
)

// tracingScenario is what traces cost: the rate of new connections without them, with one in a hundred sampled, and with
// all. Spans go by OTLP over gRPC to a collector that throws them away.
const tracingScenario = "tracing"

// The contenders of the scenario. All of them are the product.
const (
	untraced = "untraced"
	sampled  = "1 %"
	traced   = "100 %"
)

// tracingLimits are the shares of the rate that traces may cost.
var tracingLimits = map[string]float64{sampled: 0.03, traced: 0.25}

// The collector is at collectorPlace; quietFor is how long proxies may use no processor time to count as done with their
// exports, quietLimit how long is waited for that.
const (
	collectorPlace = 100
	collectorPort  = 4317
	quietFor       = 1500 * time.Millisecond
	quietLimit     = 30 * time.Second
)

// tracing is the environment of a contender of the scenario.
func (p *plan) tracing(name string) []string {
	exporter := []string{
		"OTEL_TRACES_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
		fmt.Sprintf("OTEL_EXPORTER_OTLP_ENDPOINT=http://%s:%d", address(collectorPlace, 1), collectorPort),
	}
	switch name {
	case sampled:
		return append(exporter, "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01")
	case traced:
		return append(exporter, "OTEL_TRACES_SAMPLER=always_on")
	default:
		return nil
	}
}

// compareTracing measures the contenders, prints the table and what traces cost, and is an error when that is too much.
func (p *plan) compareTracing() (err error) {
	collector, err := startRole(role{Kind: "collector", Listen: fmt.Sprintf("%s:%d", address(collectorPlace, 1), collectorPort)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, collector.end()) }()
	names := []string{untraced, sampled, traced}
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
	samples, err := p.rounded(contenders, "cps16", p.oneAndItsExports)
	if err != nil {
		return err
	}
	p.printHead()
	p.printRows("cps16", names, samples)
	_, _ = fmt.Fprint(p.out, "\n| traced | costs of the rate | may cost | spans exported | dropped |\n|---|---|---|---|---|\n")
	for i, c := range contenders[1:] {
		exported, dropped, e := c.spans(byte(i + 2))
		err = errors.Join(err, e)
		rates := func(of []sample) []float64 {
			return each(of, func(s sample) float64 { return s.Units / s.Seconds })
		}
		cost, limit := 1-median(ratios(rates(samples[i+1]), rates(samples[0]))), tracingLimits[c.name]
		_, _ = fmt.Fprintf(p.out, "| %s | %.1f %% | %.0f %% | %.0f | %.0f |\n", c.name, 100*cost, 100*limit, exported, dropped)
		if cost > limit && !p.lenient {
			err = errors.Join(err, fmt.Errorf("tracing %s of the connections costs %.1f %% of their rate, more than %.0f %%", c.name, 100*cost, 100*limit))
		}
		if exported == 0 {
			err = errors.Join(err, fmt.Errorf("nothing of %s was exported", c.name))
		}
	}
	return err
}

// oneAndItsExports is one run, and the wait until its spans are exported: they must not burden the next contender, and
// their processor time belongs to this one.
func (p *plan) oneAndItsExports(c *contender, scenario string, part int) (sample, error) {
	s, err := p.one(c, scenario, part)
	if err != nil || p.lenient {
		return s, err
	}
	before, err := c.cpu()
	tick := time.NewTicker(quietFor / 3)
	defer tick.Stop()
	last, since := before, time.Now()
	for began := time.Now(); err == nil && time.Since(since) < quietFor && time.Since(began) < quietLimit; <-tick.C {
		var now float64
		if now, err = c.cpu(); now > last {
			last, since = now, time.Now()
		}
	}
	s.cpu += last - before
	return s, err
}

// spans are how many spans the proxies at a place have exported, and lost on the way, once there are any.
func (c *contender) spans(place byte) (exported, dropped float64, err error) {
	poll(readyLimit, func(context.Context) bool {
		exported, dropped, err = counted(place)
		return exported > 0 || err != nil
	})
	return exported, dropped, err
}

func counted(place byte) (exported, dropped float64, err error) {
	for host := range byte(2) {
		text, err := page(address(place, host+1).String() + ":15020/metrics")
		if err != nil {
			return 0, 0, err
		}
		m, err := product.ParseMetrics(text)
		if err != nil {
			return 0, 0, err
		}
		exported += m.Sum("troupe_trace_spans_exported_total", nil)
		dropped += m.Sum("troupe_trace_spans_dropped_total", nil)
	}
	return exported, dropped, nil
}

// page fetches a page.
func page(url string) (text string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+url, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
