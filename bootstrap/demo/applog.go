package demo

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"
)

// pollInterval is how long a poll waits for a line.
const pollInterval = 200 * time.Millisecond

// accessLog takes a proxy's log, keeps its access-log lines and passes all others on.
type accessLog struct {
	mu    sync.Mutex
	lines []string
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
		l.mu.Lock()
		l.lines = append(l.lines, line)
		l.mu.Unlock()
		select {
		case l.news <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// next waits for the next line.
func (l *accessLog) next(ctx context.Context) (string, error) {
	for {
		l.mu.Lock()
		if len(l.lines) > 0 {
			line := l.lines[0]
			l.lines = l.lines[1:]
			l.mu.Unlock()
			return line, nil
		}
		l.mu.Unlock()
		select {
		case <-l.news:
		case <-ctx.Done():
			return "", fmt.Errorf("no access-log line came: %w", ctx.Err())
		}
	}
}

// poll is next that gives up soon: the empty line means that none came.
func (l *accessLog) poll(ctx context.Context) (string, error) {
	soon, cancel := context.WithTimeout(ctx, pollInterval)
	defer cancel()
	line, err := l.next(soon)
	if err != nil && ctx.Err() == nil {
		return "", nil
	}
	return line, err
}
