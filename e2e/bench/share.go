package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// shareScenario says what the CPU of a connection's set-up goes to, by the profiles of both of the product's proxies.
const shareScenario = "share"

// profileSeconds is how long the profiles are taken.
const profileSeconds = 10

// parts are what a profile's samples are divided into, by the innermost frame of ours that a sample has. What the Go
// runtime and the kernel do beneath such a frame is that frame's; samples without one are the runtime's own scheduling,
// polling and collecting.
var parts = []struct {
	name     string
	packages []string // the first that matches
}{
	{"actors (the library and actors/kit)", []string{"github.com/asynkron/protoactor-go/", "troupe/actors/kit."}},
	{"log, metrics and trace", []string{"troupe/actors/logs.", "troupe/actors/trace."}},
	{"decisions (all other actors, messages)", []string{"troupe/actors/", "troupe/messages."}},
	{"bytes (transport)", []string{"troupe/transport/"}},
	{"the Go runtime's own, and others", []string{""}},
}

// profiled frames: all others are hidden, which leaves their samples to the frame that called them.
const profiledFrames = "^github.com/(troupe-mesh/troupe|asynkron)/"

// measureShare opens connections through the product while both proxies are profiled.
func (p *plan) measureShare() (err error) {
	c, err := p.start("troupe", 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.end()) }()
	if _, err := p.one(c, "cps16", 4); err != nil { // what is cold is not measured
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), (profileSeconds+30)*time.Second)
	defer cancel()

	var files [2]string
	var failures [2]error
	var profiling sync.WaitGroup
	for i := range files {
		files[i] = filepath.Join(filepath.Dir(p.caDir), fmt.Sprintf("profile-%d", i))
		profiling.Go(func() {
			failures[i] = saveProfile(ctx, address(1, byte(i+1)).String()+":15000", files[i])
		})
	}
	begun, connections := time.Now(), 0.0
	for time.Since(begun) < profileSeconds*time.Second && err == nil {
		var s sample
		s, err = p.one(c, "cps16", 4)
		connections += s.Units
	}
	profiling.Wait()
	if err = errors.Join(err, failures[0], failures[1]); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(p.out, "\n| share of the CPU, %.0f connections | client's proxy %% | server's proxy %% |\n|---|---|---|\n", connections)
	var shares [2][]float64
	for i, file := range files {
		if shares[i], err = p.divide(ctx, file); err != nil {
			return err
		}
	}
	for i, part := range parts {
		_, _ = fmt.Fprintf(p.out, "| %s | %.1f | %.1f |\n", part.name, shares[0][i], shares[1][i])
	}
	return nil
}

func saveProfile(ctx context.Context, admin, file string) error {
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", admin, profileSeconds)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("taking a profile: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, response.Body)
	if response.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("%s answered %s", url, response.Status))
	}
	return errors.Join(err, out.Close())
}

// divide has pprof count a profile's samples by function, and adds them up by part, in percent of all samples.
func (p *plan) divide(ctx context.Context, file string) ([]float64, error) {
	pprof := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-unit=us", "-nodecount=100000", "-nodefraction=0",
		"-show="+profiledFrames, p.binary, file)
	pprof.Stderr = os.Stderr
	out, err := pprof.Output()
	if err != nil {
		return nil, fmt.Errorf("reading a profile with go tool pprof: %w", err)
	}
	return sharesOf(string(out))
}

// sharesOf reads pprof's list of functions.
func sharesOf(top string) ([]float64, error) {
	_, after, found := strings.Cut(top, "Total samples = ")
	text, _, _ := strings.Cut(after, " ")
	total, err := time.ParseDuration(text)
	if !found || err != nil || total == 0 {
		return nil, fmt.Errorf("the profile says %q for its total", text)
	}
	shares, counted := make([]float64, len(parts)), 0.0
	for line := range strings.Lines(top) {
		fields := strings.Fields(line)
		if len(fields) < 6 || !strings.HasSuffix(fields[0], "us") && fields[0] != "0" || !strings.HasSuffix(fields[1], "%") {
			continue
		}
		flat, err := time.ParseDuration(fields[0])
		if err != nil {
			return nil, fmt.Errorf("the profile's line %q: %w", line, err)
		}
		percent := 100 * flat.Seconds() / total.Seconds()
		shares[partOf(fields[5])] += percent
		counted += percent
	}
	shares[len(parts)-1] += 100 - counted
	return shares, nil
}

func partOf(function string) int {
	for i, part := range parts {
		for _, name := range part.packages {
			if strings.Contains(function, name) {
				return i
			}
		}
	}
	return len(parts) - 1
}
