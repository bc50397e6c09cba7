package dedicated

import (
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/product"
)

// TestBadConfiguration: whatever is wrong is refused at start with its name and its value, before any port is bound.
func TestBadConfiguration(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"mode":            {map[string]string{"PROXY_MODE": "both"}, []string{"PROXY_MODE", "both", "shared", "dedicated"}},
		"workload":        {map[string]string{"PROXY_WORKLOAD_INFO": "default/only"}, []string{"PROXY_WORKLOAD_INFO", "default/only"}},
		"boolean":         {map[string]string{"ENABLE_ORIG_SRC": "1"}, []string{"ENABLE_ORIG_SRC", "1", "true"}},
		"number":          {map[string]string{"PACKET_MARK": "0x539"}, []string{"PACKET_MARK", "0x539"}},
		"duration":        {map[string]string{"CONNECTION_TERMINATION_DEADLINE": "soon"}, []string{"CONNECTION_TERMINATION_DEADLINE", "soon"}},
		"unknown field":   {map[string]string{"LOCAL_XDS": "workloads: []\nworkload: []\n"}, []string{"LOCAL_XDS", "workload"}},
		"unknown match":   {map[string]string{"LOCAL_XDS": "policies:\n- {name: p, namespace: d, scope: Global, action: Deny, dryRun: false, rules: [[[{principal: [a]}]]]}\n"}, []string{"LOCAL_XDS", "principal"}},
		"no YAML":         {map[string]string{"LOCAL_XDS": "workloads: ["}, []string{"LOCAL_XDS"}},
		"file isn't here": {map[string]string{"LOCAL_XDS": "", "LOCAL_XDS_PATH": "/nonexistent/mesh.yaml"}, []string{"/nonexistent/mesh.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			only := w.pod("only", localNode, uncaptured)
			config := w.config(only)
			config.Env = c.env
			p := product.Launch(t, config)
			if code := p.Wait(15 * time.Second); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			out := p.Output()
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("the output lacks %q:\n%s", want, out)
				}
			}
		})
	}
}
