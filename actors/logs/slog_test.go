package logs

import (
	"log/slog"
	"strings"
	"testing"
)

func TestSlog(t *testing.T) {
	got := written(t, Plain, "info", func(l *Logs) {
		s := slog.New(l.Scope("ztunnel::kit").Slog())
		s.Debug("hidden")
		s.With("actor", "a").WithGroup("g").With("x", 1).WithGroup("").Warn("restarted", "n", 3)
		s.Error("down")
	})
	if strings.Contains(got, "hidden") {
		t.Error("a refused record shows")
	}
	if want := "\twarn\tkit\trestarted\tactor=\"a\" g.x=\"1\" g.n=\"3\"\n"; !strings.Contains(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for level, want := range map[slog.Level]Level{-8: Trace, -4: Debug, 0: Info, 4: Warn, 8: Error, 12: Error} {
		if got := fromSlog(level); got != want {
			t.Errorf("%v: got %v, want %v", level, got, want)
		}
	}
}
