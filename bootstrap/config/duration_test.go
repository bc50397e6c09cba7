package config

import (
	"strings"
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	tests := []struct {
		in   string
		want time.Duration
	}{
		{"60", time.Minute},
		{"60s", time.Minute},
		{"0", 0},
		{"1m30s", 90 * time.Second},
		{"5min", 5 * time.Minute},
		{"  1 m 30 s ", 90 * time.Second},
		{"3m+31", 211 * time.Second},
		{"3m + 1s + 29ms +17µs", 181*time.Second + 29*time.Millisecond + 17*time.Microsecond},
		{"17μs", 17 * time.Microsecond},
		{"1d2h3min4s", 93784 * time.Second},
		{"1y", 365 * 24 * time.Hour},
		{"2mon", 60 * 24 * time.Hour},
		{"1w", 7 * 24 * time.Hour},
		{"1HR", time.Hour},
		{"2Hours", 2 * time.Hour},
		{"1MSEC", time.Millisecond},
		{"7nsec", 7},
		{"1m*10", 10 * time.Minute},
		{"1m*10ms", 600 * time.Millisecond},
		{"1m * 1ns", 60},
		{"1m*1m", time.Hour},
		{"2*3*4", 24 * time.Second},
		{"290y*1", 290 * 365 * 24 * time.Hour},
	}
	for _, tt := range tests {
		if got, err := ParseDuration(tt.in); err != nil || got != tt.want {
			t.Errorf("%q: got %v, %v; want %v", tt.in, got, err, tt.want)
		}
	}
	for _, in := range []string{
		"", " ", "s", "1.5s", "-1s", "+1s", "1s+", "1s*", "1x", "1nys", "3ms-2ms", "1s+2s*3s", "1s2s*3", "2*3s4s", "1s,2s",
		"10000000000000000y", "290y+290y", "290y*2", "99999999999999999999s", "1s\x00", "\xff",
	} {
		if got, err := ParseDuration(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		} else if !strings.Contains(err.Error(), "1m30s") && !strings.Contains(err.Error(), "292 years") {
			t.Errorf("%q: %q does not say what is right", in, err)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"60", "1m30s", "1m * 10ms", "3m + 31", "\u00b5", "1y2mon3w", "9223372036854775807ns"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDuration(s)
		if err == nil && d < 0 {
			t.Fatalf("%q is negative: %v", s, d)
		}
		if again, err2 := ParseDuration(" " + s + " "); s != "" && ((err == nil) != (err2 == nil) || d != again) {
			t.Fatalf("%q changes with blanks around it: %v %v, %v %v", s, d, err, again, err2)
		}
	})
}
