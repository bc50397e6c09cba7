package dedicated

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/mesh"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// serverHost is the server's service.
const serverHost = "server.default.svc.cluster.local"

// asked is a peer that isn't Troupe, before a captured server.
type asked struct {
	*world
	client, server *member
}

// newAsked makes a server with the options, and a peer without a proxy.
func newAsked(t *testing.T, declare func(w *world), options ...option) asked {
	t.Helper()
	w := newWorld(t)
	a := asked{world: w, client: w.pod("client", localNode, uncaptured), server: w.pod("server", localNode, options...)}
	if declare != nil {
		declare(w)
	}
	w.start()
	a.server.app.Listen(":8080", agent.Double)
	return a
}

// connect has the peer ask the server's proxy for authority.
func (a asked) connect(authority string) agent.Answer {
	a.t.Helper()
	return a.client.app.Connect(agent.Tunnel{
		Proxy: a.server.at(a.server.IPv4, hbonePort).String(), Authority: authority, CADir: a.caDir,
		Identity: a.client.identity(), Expected: a.server.identity(), Payload: hello,
	})
}

// own is the server's own authority.
func (a asked) own() string { return a.server.at(a.server.IPv4, serverPort).String() }

func TestPolicy(t *testing.T) {
	a := newAsked(t, func(w *world) {
		w.mesh.Policies = []mesh.Policy{{
			Name: "deny_bypass", Namespace: namespace, Scope: "Namespace", Action: "Allow",
			Rules: [][][]mesh.Match{{{{Principals: []mesh.Exact{"spiffe://cluster.local/ns/default/sa/waypoint"}}}}},
		}}
	})
	if answer := a.connect(a.own()); answer.Status != http.StatusUnauthorized {
		t.Errorf("status %d, want 401", answer.Status)
	}
	a.server.proxy.ExpectAccess(product.Fields{
		"level": "error", "message": "connection complete", "direction": "inbound", "src.identity": a.client.identity(),
		"dst.hbone_addr": a.own(), "bytes_sent": "0", "bytes_recv": "0",
		"error": "connection closed due to policy rejection: allow policies exist, but none allowed",
	})
	a.server.proxy.ExpectSum(product.ConnectionsFailed, product.Labels{"response_flags": "DENY"}, 1)
}

func TestPolicyAllows(t *testing.T) {
	a := newAsked(t, func(w *world) {
		w.mesh.Policies = []mesh.Policy{{
			Name: "only-client", Namespace: namespace, Scope: "Namespace", Action: "Allow",
			Rules: [][][]mesh.Match{{{{Principals: []mesh.Exact{"cluster.local/ns/default/sa/client"}}}}},
		}}
	})
	if answer := a.connect(a.own()); answer.Status != http.StatusOK || !answer.Ended {
		t.Errorf("got %+v, want 200 and a clean end", answer)
	}
}

func TestPolicyDeniesBySourceAddressInPlaintext(t *testing.T) {
	a := newAsked(t, func(w *world) {
		w.mesh.Policies = []mesh.Policy{{
			Name: "not-you", Namespace: namespace, Scope: "Namespace", Action: "Deny",
			Rules: [][][]mesh.Match{{{{SourceIPs: []string{"10.0.0.0/8"}}}}},
		}}
	})
	c := a.client.app.Dial(a.server.at(a.server.IPv4, serverPort))
	if got, end := c.ReadAll(); got != "" || end != agent.EndReset && end != agent.EndEOF {
		t.Errorf("the client read %q and the end %q, want to be cut off", got, end)
	}
	a.server.proxy.ExpectAccess(product.Fields{
		"level": "error", "direction": "inbound", "src.identity": product.Absent,
		"error": "connection closed due to policy rejection: explicitly denied by: default/not-you",
	})
}

func TestHBONEIPMismatch(t *testing.T) {
	a := newAsked(t, nil)
	foreign := a.client.at(a.client.IPv4, serverPort).String()
	if answer := a.connect(foreign); answer.Status != http.StatusBadRequest {
		t.Errorf("status %d, want 400", answer.Status)
	}
	a.server.proxy.ExpectAccess(product.Fields{
		"level": "warn", "message": "connection failed", "direction": "inbound",
		"error": fmt.Sprintf("ip mismatch: %s != %s", a.server.IPv4, a.client.IPv4),
	})
	a.server.proxy.ExpectSum(product.ConnectionsOpened, nil, 0)
}

// TestNotACONNECT: whatever else HTTP has is refused, and reaches nobody.
func TestNotACONNECT(t *testing.T) {
	a := newAsked(t, nil)
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions, "connect"} {
		answer := a.client.app.Connect(agent.Tunnel{
			Proxy: a.server.at(a.server.IPv4, hbonePort).String(), Method: method, Authority: a.own(), CADir: a.caDir,
			Identity: a.client.identity(), Expected: a.server.identity(), Payload: hello,
		})
		if answer.Status != http.StatusBadRequest {
			t.Errorf("%s: status %d, want 400", method, answer.Status)
		}
		a.server.proxy.ExpectAccess(product.Fields{
			"level": "warn", "message": "connection failed", "direction": "inbound", "error": "expected method CONNECT, got " + method,
			"reason": "invalid_request",
		})
	}
	if got := a.server.app.Records(":8080", 0); len(got) != 0 {
		t.Errorf("the server had %+v, want nothing", got)
	}
}

func TestServiceHostnamePort(t *testing.T) { testServiceHostname(t, serverPort) }

func TestServiceHostnameNamedPort(t *testing.T) { testServiceHostname(t, 0) }

func testServiceHostname(t *testing.T, target uint16) {
	a := newAsked(t, func(w *world) {
		w.mesh.Services = []mesh.Service{{
			Name: "server", Namespace: namespace, Hostname: serverHost, VIPs: []string{"/" + vip}, Ports: mesh.Ports{80: target},
		}}
	}, inService(serverHost, mesh.Ports{80: serverPort}))
	if answer := a.connect(serverHost + ":80"); answer.Status != http.StatusOK || !answer.Ended {
		t.Errorf("got %+v, want 200 and a clean end", answer)
	}
	a.server.proxy.ExpectAccess(product.Fields{
		"level": "info", "direction": "inbound", "dst.hbone_addr": serverHost + ":80", "dst.service": serverHost,
		"bytes_recv": helloBytes, "bytes_sent": answerBytes, "error": product.Absent,
	})
}

func TestUnknownHostnameAndDeadApplication(t *testing.T) {
	a := newAsked(t, nil)
	for authority, want := range map[string]int{
		"nobody.default.svc.cluster.local:80":          http.StatusServiceUnavailable,
		a.server.at(a.server.IPv4, 9).String():         http.StatusServiceUnavailable,
		a.server.at(a.server.IPv4, hbonePort).String(): http.StatusServiceUnavailable,
		a.own(): http.StatusOK,
	} {
		if answer := a.connect(authority); answer.Status != want {
			t.Errorf("CONNECT %s: status %d, want %d", authority, answer.Status, want)
		}
	}
}

func TestTrustDomainMismatch(t *testing.T) {
	for _, f := range families {
		t.Run(string(f), func(t *testing.T) {
			w := newWorld(t)
			client := w.pod("client", localNode, func(m *member) { m.workload.TrustDomain = "clusterset.local" })
			server := w.pod("server", localNode)
			w.start()
			server.app.Listen(":8080", agent.Double)
			conn := client.app.Dial(server.at(f.of(server), serverPort))
			if err := conn.TryWrite(hello); err == nil {
				conn.ExpectEnd(agent.EndReset)
			}
			if got := server.app.Records(":8080", 0); len(got) != 0 {
				t.Errorf("the server had %+v, want nothing", got)
			}
			client.proxy.ExpectAccess(product.Fields{"level": "error", "direction": "outbound"})
			server.proxy.ExpectAccess(product.Fields{"level": "warn", "message": "connection failed", "direction": "inbound"})
		})
	}
}
