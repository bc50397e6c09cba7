package inpod

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// podState is an entry of workloadState (spec/ops.md §5.4).
type podState struct {
	State, Error string
	Info         struct{ Name, Namespace, ServiceAccount string }
	Connections  *struct{ Inbound, Outbound []map[string]any }
}

// states are the pods as the admin page shows them.
func states(t *testing.T, p *product.Proxy) map[string]podState {
	t.Helper()
	var dump struct{ WorkloadState map[string]podState }
	if err := json.Unmarshal([]byte(p.Admin(http.MethodGet, "/config_dump")), &dump); err != nil {
		t.Fatal(err)
	}
	return dump.WorkloadState
}

// testWorkloadState holds a connection open across nodes and looks for it in both proxies' dumps.
func testWorkloadState(t *testing.T, w *world, client, server *member) {
	target := server.at(ipv4, serverPort)
	c := client.app.Dial(target)
	c.Write(hello)
	c.Expect(helloTwice)
	here, there := states(t, client.node.proxy)["uid-"+client.Name], states(t, server.node.proxy)["uid-"+server.Name]
	if here.State != "Up" || here.Info.Name != client.Name || here.Info.ServiceAccount != client.Name || here.Info.Namespace != namespace {
		t.Errorf("the client's pod is %+v", here)
	}
	if here.Connections == nil || !has(here.Connections.Outbound, "src", c.Local.String()) {
		t.Errorf("the client's connections are %+v, want one from %v", here.Connections, c.Local)
	}
	if there.Connections == nil || !has(there.Connections.Inbound, "actualDst", target.String()) {
		t.Errorf("the server's connections are %+v, want one to %v", there.Connections, target)
	}
	c.CloseWrite()
	c.ExpectEnd(agent.EndEOF)
	active := 0
	for _, m := range w.members {
		if m.captured && m.node == client.node {
			active++
		}
	}
	client.node.proxy.ExpectSum("workload_manager_active_proxy_count", nil, float64(active))
	client.node.proxy.ExpectSum("workload_manager_pending_proxy_count", nil, 0)
}

func has(connections []map[string]any, key, value string) bool {
	for _, c := range connections {
		if c[key] == value && c["protocol"] == "HBONE" {
			return true
		}
	}
	return false
}
