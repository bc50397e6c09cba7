package controlplane

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/istiod"
	"github.com/troupe-mesh/troupe/e2e/product"
	wire "github.com/troupe-mesh/troupe/transport/wire/discovery"
)

// The whole life under a control plane: nothing is served before it has answered, traffic passes under what it says, a
// policy that it pushes ends the connection that it denies, and when it dies everything goes on; what it says when it is back
// is obeyed (CP16, CP18, CP72, CP118, CP120).
func TestLifeUnderIstiod(t *testing.T) {
	policies := make(chan struct{})
	w := newWorld(t, istiod.Script{Answer: func(ctx context.Context, _ *istiod.Stream, r *wire.DeltaDiscoveryResponse) (*wire.DeltaDiscoveryResponse, error) {
		if r.TypeUrl == istiod.AuthorizationType {
			select {
			case <-policies:
			case <-ctx.Done():
			}
		}
		return r, nil
	}})
	w.push()
	w.eventually("both have asked", func() bool { return w.istiod.Streams() == 2 })
	for _, m := range []*member{w.client, w.server} {
		w.eventually("it says what it waits for", func() bool { return m.pending() == "not ready, pending: proxy, state manager" })
	}
	early := make(chan bool, 1)
	go func() {
		_, ok := w.open()
		early <- ok
	}()
	w.eventually("a connection waits", func() bool { return w.client.waits() })
	close(policies)
	for _, m := range []*member{w.client, w.server} {
		m.proxy.WaitReady()
	}

	if !<-early {
		t.Error("the connection that waited failed")
	}
	var live *agent.Conn
	w.eventually("traffic passes", func() (ok bool) { live, ok = w.open(); return ok })
	w.istiod.World.Change(func(c *istiod.Change) { c.Policy(deny()) })
	if got, end := live.ReadAll(); got != "" || end != agent.EndReset && end != agent.EndEOF {
		t.Errorf("the connection that the policy denies read %q and ended with %q", got, end)
	}
	w.server.proxy.ExpectAccess(product.Fields{
		"error": "connection closed due to policy change",
	})
	if _, ok := w.open(); ok {
		t.Error("a new connection was allowed")
	}
	w.istiod.World.Change(func(c *istiod.Change) { c.Remove(istiod.AuthorizationType, "default/not-the-client") })
	w.eventually("traffic passes again", func() (ok bool) { live, ok = w.open(); return ok })

	w.istiod.Stop()
	w.client.proxy.ExpectSum("troupe_xds_connected", nil, 0)
	w.server.proxy.ExpectSum("troupe_xds_connected", nil, 0)
	live.Write("still here")
	live.Expect("still herestill here")
	if _, ok := w.open(); !ok {
		t.Error("no new connection without the control plane")
	}
	if status, _, err := w.server.proxy.Get(http.MethodGet, "http://127.0.0.1:15021/healthz/ready"); err != nil || status != http.StatusOK {
		t.Errorf("readiness without the control plane: %d, %v", status, err)
	}
	w.checkDump()
	w.checkMetrics()

	w.istiod.World.Change(func(c *istiod.Change) { c.Policy(deny()) })
	if err := w.istiod.Restart(); err != nil {
		t.Fatal(err)
	}
	if got, end := live.ReadAll(); got != "" || end != agent.EndReset && end != agent.EndEOF {
		t.Errorf("after the outage the denied connection read %q and ended with %q", got, end)
	}
}

// checkDump wants what was pushed to be what istioctl reads.
func (w *world) checkDump() {
	w.t.Helper()
	var dump struct {
		Workloads []struct {
			UID, Name, Protocol, Node, TrustDomain string
			WorkloadIPs                            []string `json:"workloadIps"`
		}
		Services []struct {
			Hostname  string
			VIPs      []string `json:"vips"`
			Endpoints map[string]struct{ WorkloadUID string }
		}
	}
	if err := json.Unmarshal([]byte(w.client.proxy.Admin(http.MethodGet, "/config_dump")), &dump); err != nil {
		w.t.Fatal(err)
	}
	if len(dump.Workloads) != 2 || len(dump.Services) != 1 {
		w.t.Fatalf("the dump has %+v", dump)
	}
	if got := dump.Workloads[1]; got.UID != "Kubernetes//Pod/default/server" || got.Protocol != "HBONE" || got.Node != node ||
		got.TrustDomain != "cluster.local" || got.WorkloadIPs[0] != w.server.IPv4.String() {
		w.t.Errorf("dumped %+v", got)
	}
	if got := dump.Services[0]; got.VIPs[0] != "/"+vip || got.Endpoints["Kubernetes//Pod/default/server"].WorkloadUID == "" {
		w.t.Errorf("dumped %+v", got)
	}
}

// checkMetrics wants the control plane's messages and its end to be counted.
func (w *world) checkMetrics() {
	w.t.Helper()
	m := w.client.proxy.Metrics()
	for name, labels := range map[string]product.Labels{
		"istio_xds_message_total":       {"url": istiod.AuthorizationType},
		"istio_xds_message_bytes_total": {"url": istiod.AddressType},
	} {
		if got := m.Sum(name, labels); got < 1 {
			w.t.Errorf("%s%v is %v", name, labels, got)
		}
	}
	if got := m.Sum("istio_xds_connection_terminations_total", nil); got < 1 {
		w.t.Errorf("istio_xds_connection_terminations_total is %v", got)
	}
}
