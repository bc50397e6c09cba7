package logs

import (
	"errors"
	"strings"
	"testing"
)

func TestChange(t *testing.T) {
	tests := []struct {
		name  string
		reset bool
		level string
		want  string // empty: refused
	}{
		{"global level", false, "debug", "q=off,access=warn,debug"},
		{"scope", false, "dns=trace", "q=off,access=warn,dns=trace,info"},
		{"colon", false, "access:debug", "q=off,access=debug,info"},
		{"colons in the target", false, "ztunnel::proxy:debug", "ztunnel::proxy=debug,access=warn,q=off,info"},
		{"several", false, "warn,dns:trace,access=off", "access=off,dns=trace,q=off,warn"},
		{"reset", true, "", "q=off,info"},
		{"reset and set", true, "trace", "q=off,trace"},
		{"bare target", false, "access", ""},
		{"bare path", false, "ztunnel::proxy", ""},
		{"upper case", false, "DEBUG", ""},
		{"number", false, "4", ""},
		{"bad level", false, "access=loud", ""},
		{"bad level after colon", false, "access:loud", ""},
		{"empty clause", false, "info,", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := written(t, Plain, "q=off,info", func(l *Logs) {
				if err := l.Change(false, "access=warn"); err != nil {
					t.Fatal(err)
				}
				err := l.Change(tt.reset, tt.level)
				if tt.want == "" {
					var refused *LevelError
					if !errors.As(err, &refused) {
						t.Errorf("got %v, %s; want a refusal", err, l.Filter())
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				got := strings.Split(l.Filter(), ",")
				want := strings.Split(tt.want, ",")
				for _, w := range want {
					if !strings.Contains(","+l.Filter()+",", ","+w+",") {
						t.Errorf("got %s, want %s", l.Filter(), tt.want)
					}
				}
				if len(got) != len(want) {
					t.Errorf("got %s, want %s", l.Filter(), tt.want)
				}
			})
			if tt.want != "" && strings.Count(out, "new log filter is ") != 2 {
				t.Errorf("the change is not logged: %q", out)
			}
		})
	}
}

func TestChangeReachesExistingLoggers(t *testing.T) {
	l := Discard()
	g := l.Scope("access")
	if g.Enabled(Error) {
		t.Fatal("enabled before")
	}
	if err := l.Change(false, "access=debug"); err != nil {
		t.Fatal(err)
	}
	if !g.Enabled(Debug) || g.Enabled(Trace) || g.In("dns").Enabled(Error) {
		t.Error("the new filter does not hold")
	}
	g.Debug("goes nowhere").Send()
}
