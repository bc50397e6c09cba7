package pods

import (
	"strings"
	"testing"
)

// TestNames: a uid is the agent's, and may be anything; no two proxies have one name, nor one that another actor could have.
func TestNames(t *testing.T) {
	p := &pods{memory: newMemory()}
	seen := map[string]bool{}
	for _, uid := range []string{
		"9d1f0a4e-7c0b-4f4e-8f2e-1f0c6a4f2b11", "a", "a", "a", "a~2", "a/listener/1", "a%2Flistener%2F1", "../node", "", "\xff\x00",
	} {
		name := p.name(uid)
		if seen[name] || !strings.HasPrefix(name, "pod/") || strings.Count(name, "/") != 1 {
			t.Errorf("%q is named %q", uid, name)
		}
		seen[name] = true
		p.memory.proxies[name] = &proxy{uid: uid}
	}
	if !seen["pod/9d1f0a4e-7c0b-4f4e-8f2e-1f0c6a4f2b11"] || !seen["pod/a~2"] || !seen["pod/a~3"] {
		t.Errorf("the names are %v", seen)
	}
}
