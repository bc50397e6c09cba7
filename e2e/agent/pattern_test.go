package agent

import (
	"bytes"
	"testing"
)

func TestPatternSeesEveryChange(t *testing.T) {
	const size = 3*patternBlock + 17
	var sent bytes.Buffer
	if err := newPattern(7).send(&sent, size); err != nil {
		t.Fatal(err)
	}
	tests := map[string]func(b []byte) []byte{
		"flipped bit":    func(b []byte) []byte { b[size/2] ^= 1; return b },
		"last byte":      func(b []byte) []byte { b[size-1]++; return b },
		"missing byte":   func(b []byte) []byte { return append(append([]byte(nil), b[:100]...), b[101:]...) },
		"repeated block": func(b []byte) []byte { copy(b[patternBlock:], b[:patternBlock]); return b },
		"swapped blocks": func(b []byte) []byte {
			first := append([]byte(nil), b[:patternBlock]...)
			copy(b, b[patternBlock:2*patternBlock])
			copy(b[patternBlock:], first)
			return b
		},
		"truncated": func(b []byte) []byte { return b[:size-1] },
	}
	if err := newPattern(7).check(bytes.NewReader(sent.Bytes()), size); err != nil {
		t.Fatalf("the untouched stream: %v", err)
	}
	if err := newPattern(8).check(bytes.NewReader(sent.Bytes()), size); err == nil {
		t.Error("another seed's stream passed")
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			stream := change(append([]byte(nil), sent.Bytes()...))
			if err := newPattern(7).check(bytes.NewReader(stream), size); err == nil {
				t.Error("the change wasn't seen")
			}
		})
	}
}
