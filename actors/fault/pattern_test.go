package fault

import (
	"testing"

	"github.com/asynkron/protoactor-go/actor"
)

func TestPatterns(t *testing.T) {
	const role, name = "tunnel", "node/pod/a/tunnel/12"
	tests := map[string]bool{
		"tunnel": true, "node/pod/a/tunnel/12": true, "*": true, "node/*": true, "*/tunnel/*": true, "node/pod/[ab]/*": true,
		"tunne?": true, "tunnel/12": false, "node": false, "node/pod": false, "pod/*": false, "node/pod/[c-z]/*": false,
		`node\/pod/a/tunnel/12`: true, `\*`: false, "Tunnel": false, "*12": true, "*1": false,
	}
	for text, want := range tests {
		p, err := newPattern(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := p.matchesActor(role, actor.NewPID("", name)); got != want {
			t.Errorf("%q matches: %v", text, got)
		}
	}
	p, _ := newPattern("node/*")
	if p.matchesActor("node", nil) {
		t.Error("nobody has a name")
	}
}
