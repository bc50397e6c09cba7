package demo

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

const (
	// quiet is how long nothing must come before what has come is shown.
	quiet = 200 * time.Millisecond
	// maxLines bounds the lines that wait to be shown; older ones make room.
	maxLines = 1000
)

// accessLog takes a proxy's log, keeps its access-log lines and passes all others on.
type accessLog struct {
	mu    sync.Mutex
	lines []string
	lost  int
	news  chan struct{}
	rest  func(line string)
}

func newAccessLog(rest func(line string)) *accessLog {
	return &accessLog{news: make(chan struct{}, 1), rest: rest}
}

// Write takes whole lines.
func (l *accessLog) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.Contains(line, "\taccess\t") {
			l.rest(line)
			continue
		}
		l.add(line)
		select {
		case l.news <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

func (l *accessLog) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines) >= maxLines {
		l.lines = l.lines[1:]
		l.lost++
	}
	l.lines = append(l.lines, line)
}

// next waits for the next line.
func (l *accessLog) next(ctx context.Context) (string, error) {
	for {
		if line, ok := l.pop(); ok {
			return line, nil
		}
		select {
		case <-l.news:
		case <-ctx.Done():
			return "", fmt.Errorf("no access-log line came: %w", ctx.Err())
		}
	}
}

// pop takes the oldest line, if there is one. That some are missing is a line too.
func (l *accessLog) pop() (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost > 0 {
		line := fmt.Sprintf("(%d lines came too fast to be shown)", l.lost)
		l.lost = 0
		return line, true
	}
	if len(l.lines) == 0 {
		return "", false
	}
	line := l.lines[0]
	l.lines = l.lines[1:]
	return line, true
}

// poll is next that gives up soon: the empty line means that none came.
func (l *accessLog) poll(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	line, err := l.next(ctx)
	if err != nil {
		return ""
	}
	return line
}
