package demo

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestFold(t *testing.T) {
	long := strings.Repeat("x", width)
	tests := []struct{ name, line, want string }{
		{"empty", "", ""},
		{"short", `a	info	access	done src="x y" n=1`, `a	info	access	done src="x y" n=1`},
		{"exactly full", long[:width-2] + " b", long[:width-2] + " b"},
		{"one too many", long[:width-1] + " b", long[:width-1] + "\n  b"},
		{"a field of spaces is one", long + ` e="a b c"`, long + "\n" + `  e="a b c"`},
		{"an escaped quote ends nothing", long + ` e="a \" b c" f`, long + "\n" + `  e="a \" b c" f`},
		{"a word beyond the width stays whole", "a " + long + long + " b", "a\n  " + long + long + "\n  b"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := fold(test.line, "  "); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func FuzzFold(f *testing.F) {
	f.Add(`2026 a="b c" d`)
	f.Fuzz(func(t *testing.T, line string) {
		folded := fold(line, "")
		if got := strings.ReplaceAll(folded, "\n", " "); got != strings.ReplaceAll(line, "\n", " ") {
			t.Errorf("%q lost something: %q", line, got)
		}
		for part := range strings.Lines(folded) {
			if part = strings.TrimSuffix(part, "\n"); utf8.RuneCountInString(part) > width && len(fields(part)) > 1 && !strings.Contains(line, "\n") {
				t.Errorf("%q could be folded", part)
			}
		}
	})
}
