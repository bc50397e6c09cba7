package traceparent

import (
	"strings"
	"testing"
)

const example = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestParse(t *testing.T) {
	p, ok := Parse(example)
	want := Parent{
		TraceID: [16]byte{0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c},
		SpanID:  [8]byte{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31},
		Sampled: true,
	}
	if !ok || p != want {
		t.Errorf("parsed %+v, %v", p, ok)
	}
	if got := p.String(); got != example {
		t.Errorf("written as %q", got)
	}
	for flags, sampled := range map[string]bool{"00": false, "01": true, "02": false, "ff": true} {
		if p, ok := Parse(example[:53] + flags); !ok || p.Sampled != sampled {
			t.Errorf("flags %s: %v, %v", flags, p.Sampled, ok)
		}
	}
	p.Sampled = false
	if got := p.String(); got != example[:53]+"00" {
		t.Errorf("unsampled it is %q", got)
	}
}

func TestParseRefuses(t *testing.T) {
	tests := map[string]string{
		"empty":                "",
		"52 zeros behind 00-":  "00-" + strings.Repeat("0", 52), // makes the reference panic
		"version 01":           "01" + example[2:],
		"version ff":           "ff" + example[2:],
		"too short":            example[:54],
		"too long":             example + "0",
		"more behind":          example + "-00",
		"upper case":           strings.ToUpper(example),
		"trace id zero":        "00-" + strings.Repeat("0", 32) + example[35:],
		"span id zero":         example[:36] + strings.Repeat("0", 16) + example[52:],
		"no digit in trace id": example[:10] + "g" + example[11:],
		"no digit in span id":  example[:40] + "g" + example[41:],
		"no digit in flags":    example[:54] + "g",
		"dash moved":           example[:34] + "-c" + example[36:],
		"second dash missing":  example[:52] + "0" + example[53:],
		"a blank in front":     " " + example[:54],
		"not ASCII":            example[:3] + "\xff" + example[4:],
	}
	for name, s := range tests {
		if p, ok := Parse(s); ok || p != (Parent{}) {
			t.Errorf("%s: parsed %+v", name, p)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("00-" + strings.Repeat("0", 52))
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := Parse(s)
		if !ok {
			return
		}
		if got := p.String(); got[:53] != s[:53] {
			t.Errorf("%q comes back as %q", s, got)
		}
	})
}
