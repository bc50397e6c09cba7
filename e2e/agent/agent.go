package agent

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Starter starts a process where the agent should live: a *lab.Namespace, or anything like it.
type Starter interface {
	StartProcess(cmd *exec.Cmd) error
}

// Agent is a running agent process. Its methods fail the test that started it when an operation goes wrong.
type Agent struct {
	tb    testing.TB
	name  string
	cmd   *exec.Cmd
	stdin io.WriteCloser
	next  atomic.Uint64

	mu      sync.Mutex
	waiting map[uint64]chan response
	gone    error
}

// ErrGone says that the agent process ended before it answered.
var ErrGone = errors.New("the agent ended")

// Start starts an agent by where and stops it when tb ends.
func Start(tb testing.TB, where Starter, name string) *Agent {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatalf("finding the test binary: %v", err)
	}
	a := &Agent{tb: tb, name: name, waiting: map[uint64]chan response{}}
	a.cmd = exec.Command(self)
	a.cmd.Env = append(os.Environ(), roleEnv+"=agent", "GOMAXPROCS=2", "GORACE=atexit_sleep_ms=0")
	a.cmd.Stderr = os.Stderr
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a.stdin, err = a.cmd.StdinPipe(); err != nil {
		tb.Fatalf("agent %s: %v", name, err)
	}
	stdout, err := a.cmd.StdoutPipe()
	if err != nil {
		tb.Fatalf("agent %s: %v", name, err)
	}
	if err := where.StartProcess(a.cmd); err != nil {
		tb.Fatalf("starting agent %s: %v", name, err)
	}
	listening := make(chan struct{})
	go func() { defer close(listening); a.listen(stdout) }()
	tb.Cleanup(func() {
		_ = a.stdin.Close()
		kill := time.AfterFunc(5*time.Second, func() { _ = a.cmd.Process.Kill() })
		<-listening
		_ = a.cmd.Wait()
		kill.Stop()
	})
	return a
}

// Kill ends the agent at once, as a crash of the application would.
func (a *Agent) Kill() { _ = a.cmd.Process.Kill() }

// listen hands the answers to those who wait for them, until the process ends.
func (a *Agent) listen(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r response
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue
		}
		a.mu.Lock()
		answer := a.waiting[r.ID]
		delete(a.waiting, r.ID)
		a.mu.Unlock()
		if answer != nil {
			answer <- r
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gone = ErrGone
	for id, answer := range a.waiting {
		answer <- response{ID: id, Error: ErrGone.Error()}
	}
	clear(a.waiting)
}

// call does one operation and waits for its answer.
func call[Result any](a *Agent, limit time.Duration, op string, args any) (result Result, err error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return result, fmt.Errorf("agent %s: %s: %w", a.name, op, err)
	}
	id := a.next.Add(1)
	answer := make(chan response, 1)
	a.mu.Lock()
	if a.gone != nil {
		a.mu.Unlock()
		return result, fmt.Errorf("agent %s: %s: %w", a.name, op, a.gone)
	}
	a.waiting[id] = answer
	line, err := json.Marshal(request{ID: id, Op: op, Args: raw})
	if err == nil {
		_, err = a.stdin.Write(append(line, '\n'))
	}
	a.mu.Unlock()
	if err != nil {
		return result, fmt.Errorf("agent %s: %s: %w", a.name, op, err)
	}
	timer := time.NewTimer(limit + 5*time.Second)
	defer timer.Stop()
	select {
	case r := <-answer:
		if r.Error != "" {
			return result, fmt.Errorf("agent %s: %s: %w", a.name, op, errors.New(r.Error))
		}
		if len(r.Result) > 0 {
			err = json.Unmarshal(r.Result, &result)
		}
		return result, err
	case <-timer.C:
		return result, fmt.Errorf("agent %s: %s: no answer in %v", a.name, op, limit+5*time.Second)
	}
}
