package controlplane

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/istiod"
)

// TestOnDemand: with XDS_ON_DEMAND a proxy is told of its own node only, and asks for what a connection wants while the
// connection waits.
func TestOnDemand(t *testing.T) {
	w := newWorldWith(t, istiod.Script{}, map[string]string{"XDS_ON_DEMAND": "true"})
	w.push()
	w.client.proxy.WaitReady()
	w.server.proxy.WaitReady()
	services := func() int {
		var dump struct{ Services []any }
		if err := json.Unmarshal([]byte(w.client.proxy.Admin(http.MethodGet, "/config_dump")), &dump); err != nil {
			t.Fatal(err)
		}
		return len(dump.Services)
	}
	if n := services(); n != 0 {
		t.Errorf("%d services came unasked", n)
	}
	c, ok := w.open()
	if !ok {
		t.Fatal("the connection failed that should have waited for its service")
	}
	c.Close()
	if n := services(); n != 1 {
		t.Errorf("%d services after the look-up, want 1", n)
	}
}
