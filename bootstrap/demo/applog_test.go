package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestAccessLog(t *testing.T) {
	var rest []string
	l := newAccessLog(func(line string) { rest = append(rest, line) })
	const text = "1\tinfo\taccess\tone\tn=1\n2\twarn\tapp\ttwo\n3\terror\taccess\tthree\tn=3\n"
	if n, err := l.Write([]byte(text)); n != len(text) || err != nil {
		t.Fatalf("wrote %d, %v", n, err)
	}
	for _, want := range []string{"1\tinfo\taccess\tone\tn=1", "3\terror\taccess\tthree\tn=3"} {
		if got, err := l.next(t.Context()); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if want := []string{"2\twarn\tapp\ttwo"}; !slices.Equal(rest, want) {
		t.Errorf("passed on %q, want %q", rest, want)
	}
	if got := l.poll(t.Context()); got != "" {
		t.Errorf("a further line: %q", got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.next(ctx); err == nil {
		t.Error("a line came out of nothing")
	}
}

func TestAccessLogIsBounded(t *testing.T) {
	l := newAccessLog(func(string) {})
	for i := range maxLines + 7 {
		_, _ = fmt.Fprintf(l, "0\tinfo\taccess\tline\tn=%d\n", i) // it takes everything
	}
	if got, _ := l.pop(); got != "(7 lines came too fast to be shown)" {
		t.Errorf("got %q", got)
	}
	if got, _ := l.pop(); !strings.HasSuffix(got, "n=7") {
		t.Errorf("the oldest line left is %q", got)
	}
	for range maxLines - 1 {
		if _, ok := l.pop(); !ok {
			t.Fatal("lines are missing")
		}
	}
	if got, ok := l.pop(); ok {
		t.Errorf("one line too many: %q", got)
	}
}
