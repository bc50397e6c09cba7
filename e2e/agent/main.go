package agent

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sync"
)

// Main runs the agent and never returns where this process was started as one. Otherwise it does nothing.
func Main() {
	if os.Getenv(roleEnv) == "" {
		return
	}
	w := &worker{out: bufio.NewWriter(os.Stdout), conns: map[uint64]*net.TCPConn{}, servers: map[string]*server{}}
	if err := w.run(); err != nil {
		fmt.Fprintf(os.Stderr, "agent: %v\n", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// worker is the agent's own side: it does the operations.
type worker struct {
	mu      sync.Mutex
	out     *bufio.Writer
	conns   map[uint64]*net.TCPConn
	servers map[string]*server

	requests requests
	crowds   []*crowd // held, the oldest first
}

// operations by name. Each decodes its own arguments.
var operations = map[string]func(w *worker, args json.RawMessage) (any, error){
	"listen":     operation((*worker).listen),
	"records":    operation((*worker).records),
	"dial":       operation((*worker).dial),
	"write":      operation((*worker).write),
	"read":       operation((*worker).read),
	"closewrite": operation((*worker).closeWrite),
	"reset":      operation((*worker).reset),
	"close":      operation((*worker).close),
	"transfer":   operation((*worker).transfer),
	"many":       operation((*worker).many),
	"hold":       operation((*worker).hold),
	"letgo":      operation((*worker).letGo),
	"probe":      operation((*worker).probe),
	"connect":    operation((*worker).connect),
	"waypoint":   operation((*worker).waypoint),
	"requests":   operation((*worker).listRequests),
}

func operation[Args any](f func(*worker, Args) (any, error)) func(*worker, json.RawMessage) (any, error) {
	return func(w *worker, raw json.RawMessage) (any, error) {
		var args Args
		if err := json.Unmarshal(raw, &args); err != nil {
			return nil, fmt.Errorf("arguments %s: %w", raw, err)
		}
		return f(w, args)
	}
}

// run answers requests until the input ends. Operations run side by side; the process's end ends them.
func (w *worker) run() error {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("request %q: %w", lines.Text(), err)
		}
		go w.answer(r)
	}
	return lines.Err()
}

func (w *worker) answer(r request) {
	reply := response{ID: r.ID}
	do, known := operations[r.Op]
	if !known {
		reply.Error = "unknown operation " + r.Op
	} else if result, err := do(w, r.Args); err != nil {
		reply.Error = err.Error()
	} else if reply.Result, err = json.Marshal(result); err != nil {
		reply.Error = err.Error()
	}
	line, err := json.Marshal(reply)
	if err != nil {
		line = fmt.Appendf(nil, `{"ID":%d,"Error":"the answer can't be encoded"}`, r.ID)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.out.Write(append(line, '\n'))
	_ = w.out.Flush()
}
