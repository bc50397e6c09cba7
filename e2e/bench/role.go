package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/troupe-mesh/troupe/e2e/bench/entry"
	"github.com/troupe-mesh/troupe/e2e/bench/load"
	"github.com/troupe-mesh/troupe/e2e/bench/v1"
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

// serving roles by kind.
var serving = map[string]func(role, net.Listener) error{
	"app":    func(_ role, l net.Listener) error { return load.Serve(l) },
	"splice": func(_ role, l net.Listener) error { return splice(l) },
	"v1-client": func(r role, l net.Listener) error {
		config, err := clientTLS(r.CADir)
		if err != nil {
			return err
		}
		return (&v1.Client{Entry: entry.Accept, Peer: func(string) string { return r.Peer }, TLS: config}).Serve(l)
	},
	"v1-server": func(r role, l net.Listener) error {
		config, err := serverTLS(r.CADir)
		if err != nil {
			return err
		}
		return (&v1.Server{TLS: config}).Serve(l)
	},
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
	listener, err := net.Listen("tcp", r.Listen)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- serve(r, listener) }()
	told := make(chan error, 1)
	go func() { told <- untilInputEnds() }()
	fmt.Println("ready")
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
