package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/troupe-mesh/troupe/e2e/bench/load"
)

// roleEnv makes this binary one of the benchmark's other processes. Its value is a role as JSON.
const roleEnv = "TROUPE_BENCH_ROLE"

// role is what a process of the benchmark does. It says "ready" when it can, and ends when its input does.
type role struct {
	Kind   string
	Listen string
	Peer   string // of a client's side: where its server's side listens
	CADir  string
	Run    load.Run // of the load
	Idle   int      // of the load: instead of a run, hold so many connections
}

// The identities of the two sides.
const (
	clientIdentity = "spiffe://cluster.local/ns/default/sa/client"
	serverIdentity = "spiffe://cluster.local/ns/default/sa/server"
)

// serving roles by kind. Each calls ready when it listens.
var serving = map[string]func(r role, ready func()) error{
	"app":         role.application,
	"collector":   role.collector,
	"splice":      role.splice,
	"v1-client":   role.v1Client,
	"v1-server":   role.v1Server,
	"thin-client": role.thinClient,
	"thin-server": role.thinServer,
}

// runRole does this process's role and ends it, if it has one.
func runRole() {
	text := os.Getenv(roleEnv)
	if text == "" {
		return
	}
	var r role
	err := json.Unmarshal([]byte(text), &r)
	if err == nil {
		err = r.do()
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", r.Kind, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (r role) do() error {
	if r.Kind == "load" {
		return r.load()
	}
	serve, known := serving[r.Kind]
	if !known {
		return fmt.Errorf("unknown role %q", r.Kind)
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(r, func() { fmt.Println("ready") }) }()
	told := make(chan error, 1)
	go func() { told <- untilInputEnds() }()
	select {
	case err := <-failed:
		return err
	case err := <-told:
		return err
	}
}

// load does one run and prints what came of it.
func (r role) load() error {
	if r.Idle == 0 {
		outcome, err := load.Do(r.Run)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(outcome)
	}
	open, err := load.Idle(r.Run.Way, r.Idle)
	defer func() {
		for _, conn := range open {
			_ = conn.Close()
		}
	}()
	if err != nil {
		return err
	}
	fmt.Println("ready")
	return untilInputEnds()
}

func untilInputEnds() error {
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
