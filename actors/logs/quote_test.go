package logs

import (
	"testing"
	"unicode/utf8"
)

func TestQuoting(t *testing.T) {
	tests := []struct{ in, quoted, bare string }{
		{"", `""`, ""},
		{"cart-1", `"cart-1"`, "cart-1"},
		{`a"b`, `"a\"b"`, `a"b`},
		{`a\b`, `"a\\b"`, `a\b`},
		{"it's", `"it's"`, "it's"},
		{"a\nb\r\t", `"a\nb\r\t"`, `a\nb\r\t`},
		{"\x00\x01\x7f", `"\0\u{1}\u{7f}"`, `\0\u{1}\u{7f}`},
		{"héß 世", `"héß 世"`, "héß 世"},
		{"\u200b\u2028", `"\u{200b}\u{2028}"`, "\u200b\u2028"},
		{"\xffz", "\"\ufffdz\"", "\xffz"},
	}
	for _, tt := range tests {
		if got := string(appendQuoted(nil, tt.in)); got != tt.quoted {
			t.Errorf("quoted %q: got %s, want %s", tt.in, got, tt.quoted)
		}
		if got := string(appendBare(nil, tt.in)); got != tt.bare {
			t.Errorf("bare %q: got %s, want %s", tt.in, got, tt.bare)
		}
	}
}

func FuzzQuoted(f *testing.F) {
	f.Add("a\"\\\n\x00\xff\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		got := appendQuoted(nil, s)
		if !utf8.Valid(got) {
			t.Fatalf("%q: not UTF-8", s)
		}
		for i, c := range got {
			if c < ' ' || c == 0x7f {
				t.Fatalf("%q: control character at %d", s, i)
			}
		}
	})
}
