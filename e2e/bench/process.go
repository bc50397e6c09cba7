package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The bounds of what a process may take.
const (
	readyLimit = 60 * time.Second
	endLimit   = 20 * time.Second
)

// process is one child of the benchmark.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
	stop  func(*process) error
}

// startRole starts this binary in a role and waits until it is ready. A load that runs at once is never "ready".
func startRole(r role) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(self), stop: (*process).closeInput}
	p.cmd.Env = append(os.Environ(), roleEnv+"="+string(text), "GOMAXPROCS=2")
	p.cmd.Stderr = os.Stderr
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdin, p.lines = stdin, bufio.NewScanner(stdout)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", r.Kind, err)
	}
	if r.Kind == "load" && r.Idle == 0 {
		return p, nil
	}
	if line, err := p.line(); err != nil || line != "ready" {
		return nil, errors.Join(fmt.Errorf("starting %s: it said %q, %w", r.Kind, line, err), p.end())
	}
	return p, nil
}

// line waits for the next line of the process's output, however long that takes.
func (p *process) line() (string, error) {
	if p.lines.Scan() {
		return p.lines.Text(), nil
	}
	return "", errors.Join(io.ErrUnexpectedEOF, p.lines.Err())
}

func (p *process) closeInput() error { return p.stdin.Close() }

// end ends the process and waits for it.
func (p *process) end() error {
	err := p.stop(p)
	kill := time.AfterFunc(endLimit, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	return errors.Join(err, p.cmd.Wait())
}

// terminate asks by signal.
func (p *process) terminate() error { return p.cmd.Process.Signal(syscall.SIGTERM) }

// cpu is the processor time that the process has used.
func (p *process) cpu() (time.Duration, error) {
	const ticksPerSecond = 100 // USER_HZ, on every architecture that Go runs on
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("short /proc/%d/stat", p.cmd.Process.Pid)
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * time.Second / ticksPerSecond, errors.Join(err1, err2)
}

// rss is the memory that the process holds, in bytes.
func (p *process) rss() (int64, error) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0, fmt.Errorf("short /proc/%d/statm", p.cmd.Process.Pid)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// freePort is a port that nobody listens on.
func freePort() (uint16, error) {
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		return 0, err
	}
	at, err := netip.ParseAddrPort(listener.Addr().String())
	return at.Port(), errors.Join(err, listener.Close())
}

// poll looks until ok says true.
func poll(limit time.Duration, ok func(context.Context) bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for !ok(ctx) {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
