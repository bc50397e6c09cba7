package main

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// measureIdle opens idle tunnels through each contender in turn, fresh ones, and prints how much each proxy grew.
func (p *plan) measureIdle() error {
	_, _ = fmt.Fprintf(p.out, "\n| RSS growth per idle tunnel (%d) | accepting side KiB | dialling side KiB |\n|---|---|---|\n", p.idle)
	for i, name := range p.contenders {
		c, err := p.start(name, byte(i+1))
		if err != nil {
			return err
		}
		growth, err := p.growth(c)
		if err = errors.Join(err, c.end()); err != nil {
			return err
		}
		_, _ = fmt.Fprintf(p.out, "| %s |", c.name)
		for i := range growth { // the server's side was started first
			_, _ = fmt.Fprintf(p.out, " %.1f |", growth[len(growth)-1-i])
		}
		_, _ = fmt.Fprintln(p.out)
	}
	return nil
}

// growth is by how many KiB per tunnel each proxy grew.
func (p *plan) growth(c *contender) (perTunnel []float64, err error) {
	if _, err := p.one(c, "rr1x1", p.ops); err != nil { // one tunnel, so that what is there once isn't counted
		return nil, err
	}
	before, err := c.settledRSS(p.settle)
	if err != nil {
		return nil, err
	}
	idle, err := startRole(role{Kind: "load", Idle: p.idle, Run: runOf(c)})
	if err != nil {
		return nil, fmt.Errorf("opening %d tunnels through %s: %w", p.idle, c.name, err)
	}
	defer func() { err = errors.Join(err, idle.end()) }()
	after, err := c.settledRSS(p.settle)
	if err != nil {
		return nil, err
	}
	for i := range after {
		perTunnel = append(perTunnel, float64(after[i]-before[i])/1024/float64(p.idle))
	}
	return perTunnel, nil
}

// Idle is when nothing has moved for a while: memory counts as settled when no proxy's changed by more than a share
// within settledFor looks, a second apart.
const (
	settledFor   = 10
	settledShare = 0.01
	settleLimit  = 90
)

// settledRSS is rss once nothing has changed in a number of looks, or after settleLimit seconds.
func (c *contender) settledRSS(wanted int) ([]int64, error) {
	if wanted == 0 {
		wanted = settledFor
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	last, err := c.rss()
	for same, looks := 0, 0; err == nil && same < wanted && looks < settleLimit; looks++ {
		<-tick.C
		var now []int64
		if now, err = c.rss(); err != nil {
			break
		}
		same++
		for i := range now {
			if math.Abs(float64(now[i]-last[i])) > settledShare*float64(last[i]) {
				same, last = 0, now
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return last, nil
}

func (c *contender) rss() ([]int64, error) {
	var all []int64
	for _, p := range c.proxies {
		held, err := p.rss()
		if err != nil {
			return nil, fmt.Errorf("reading the memory of %s: %w", c.name, err)
		}
		all = append(all, held)
	}
	return all, nil
}
