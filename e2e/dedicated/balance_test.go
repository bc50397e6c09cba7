package dedicated

import (
	"net/netip"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/mesh"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// balancedHost is a service with an endpoint on each node.
const balancedHost = "service.default.svc.cluster.local"

func TestServiceLoadBalancing(t *testing.T) {
	w := newWorld(t)
	ports := mesh.Ports{80: serverPort}
	near := w.pod("server1", localNode, uncaptured, inService(balancedHost, ports))
	far := w.pod("server2", remoteNode, inService(balancedHost, ports))
	client := w.pod("client", localNode)
	w.mesh.Services = []mesh.Service{{
		Name: "service", Namespace: namespace, Hostname: balancedHost, VIPs: []string{"/" + vip}, Ports: mesh.Ports{80: 80},
	}}
	w.start()
	near.app.Listen(":8080", agent.Double)
	far.app.Listen(":8080", agent.Double)

	call := func() {
		c := client.app.Dial(netip.MustParseAddrPort(vip + ":80"))
		c.Write(hello)
		c.Expect(helloTwice)
		c.Close()
	}
	to := func(m *member) float64 {
		return client.proxy.Metrics().Sum(product.ConnectionsOpened, product.Labels{"destination_principal": m.identity()})
	}
	service := product.Labels{
		"reporter": "source", "destination_service": balancedHost, "destination_service_name": "service",
		"destination_service_namespace": namespace, "source_workload": "client",
	}

	call()
	client.proxy.ExpectSum(product.ConnectionsClosed, service, 1)
	client.proxy.ExpectSum(product.BytesReceived, service, 11)
	client.proxy.ExpectSum(product.BytesSent, service, 22)
	if first, second := to(near), to(far); first+second != 1 {
		t.Errorf("one call opened %v connections to the one and %v to the other endpoint", first, second)
	}
	for range 50 {
		call()
	}
	client.proxy.ExpectSum(product.ConnectionsClosed, service, 51)
	first, second := to(near), to(far)
	if first == 0 || second == 0 || first+second != 51 {
		t.Errorf("51 calls opened %v connections to the one and %v to the other endpoint", first, second)
	}
	far.proxy.ExpectSum(product.ConnectionsOpened, product.Labels{
		"reporter": "destination", "destination_principal": far.identity(), "source_principal": client.identity(),
		"destination_service": balancedHost, "destination_service_name": "service", "destination_service_namespace": namespace,
	}, second)
	client.proxy.ExpectAccess(product.Fields{
		"direction": "outbound", "dst.service": balancedHost, "dst.workload": "server2", "dst.identity": far.identity(),
		"dst.hbone_addr": far.at(far.IPv4, serverPort).String(),
	})
	client.proxy.ExpectAccess(product.Fields{
		"direction": "outbound", "dst.service": balancedHost, "dst.workload": "server1", "dst.identity": product.Absent,
		"dst.addr": near.at(near.IPv4, serverPort).String(),
	})
}

func TestServiceWithoutEndpointsFails(t *testing.T) {
	w := newWorld(t)
	client := w.pod("client", localNode)
	w.mesh.Services = []mesh.Service{{
		Name: "service", Namespace: namespace, Hostname: balancedHost, VIPs: []string{"/" + vip}, Ports: mesh.Ports{80: 80},
	}}
	w.start()
	c := client.app.Dial(netip.MustParseAddrPort(vip + ":80"))
	if got, end := c.ReadAll(); got != "" || end != agent.EndReset && end != agent.EndEOF {
		t.Errorf("the client read %q and the end %q, want to be cut off", got, end)
	}
	client.proxy.ExpectAccess(product.Fields{
		"level": "warn", "message": "connection failed", "direction": "outbound", "error": "no healthy upstream: " + vip + ":80",
	})
}
