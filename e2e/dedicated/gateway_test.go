package dedicated

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
	"github.com/troupe-mesh/troupe/e2e/mesh"
	"github.com/troupe-mesh/troupe/e2e/product"
)

const (
	// remoteNetwork is another network than the client's, which has no name.
	remoteNetwork = "remote"
	// remoteHost is a service that has endpoints there only.
	remoteHost = "remote.default.svc.cluster.local"
	// gatewayHost is the service of the gateway to it.
	gatewayHost = "gateway.istio-gateways.svc.cluster.local"
)

// onRemoteNetwork is an endpoint of the remote service: nobody knows its address here, only the gateway to it.
func onRemoteNetwork(gateway mesh.Gateway) option {
	return func(m *member) {
		m.workload.Network, m.workload.WorkloadIPs = remoteNetwork, nil
		m.workload.Services[namespace+"/"+remoteHost] = mesh.Ports{80: serverPort}
		m.workload.NetworkGateway = &gateway
		m.env["NETWORK"] = remoteNetwork
	}
}

// federation is a client, and a service whose endpoint is told to be who answers as server.
func federation(t *testing.T, declare func(w *world) (gateway, server *member)) (w *world, client, gateway, server *member) {
	t.Helper()
	w = newWorld(t)
	client = w.pod("client", localNode)
	gateway, server = declare(w)
	w.mesh.Services = append(w.mesh.Services, mesh.Service{
		Name: "remote", Namespace: namespace, Hostname: remoteHost, VIPs: []string{"/" + vip}, Ports: mesh.Ports{80: serverPort},
		SubjectAltNames: []string{server.identity()},
	})
	w.start()
	return w, client, gateway, server
}

// serveGateway has the gateway hand everything that comes to its address on to the server's 15008.
func serveGateway(w *world, gateway, server *member, port uint16) {
	gateway.app.ServeWaypoint(agent.Waypoint{
		Address: gateway.at(gateway.IPv4, port).String(), CADir: w.caDir, Identity: gateway.identity(),
		Forward: server.at(server.IPv4, hbonePort).String(),
	})
}

// TestDoubleHBONE refers to the gateway by address. The far end is a proxy of its own: what the client's proxy does has to
// suit it.
func TestDoubleHBONE(t *testing.T) {
	w, client, gateway, server := federation(t, func(w *world) (gateway, server *member) {
		gateway = w.pod("gateway", localNode, uncaptured)
		server = w.pod("server", remoteNode, onRemoteNetwork(mesh.Gateway{Destination: "/" + gateway.IPv4.String(), Port: hbonePort}))
		return gateway, server
	})
	serveGateway(w, gateway, server, hbonePort)
	server.app.Listen(":8080", agent.Double)

	const calls = 2
	for range calls {
		conn := client.app.Dial(netip.MustParseAddrPort(vip + ":80"))
		conn.Write(hello)
		conn.Expect(helloTwice)
		conn.CloseWrite()
		conn.ExpectEnd(agent.EndEOF)
	}
	dialled := gateway.at(gateway.IPv4, hbonePort).String()
	client.proxy.ExpectAccess(product.Fields{
		"message": "connection complete", "level": "info", "direction": "outbound", "error": product.Absent,
		"src.workload": "client", "src.identity": client.identity(), "dst.addr": dialled, "dst.hbone_addr": remoteHost + ":80",
		"dst.service": remoteHost, "dst.workload": "server", "dst.namespace": namespace, "dst.identity": server.identity(),
		"bytes_sent": helloBytes, "bytes_recv": answerBytes,
	})
	client.proxy.ExpectSum(product.ConnectionsClosed, product.Labels{
		"reporter": "source", "destination_principal": server.identity(), "destination_workload": "server",
		"destination_service": remoteHost, "connection_security_policy": "mutual_tls", "response_flags": "-",
	}, calls)
	server.proxy.ExpectAccess(product.Fields{
		"message": "connection complete", "level": "info", "direction": "inbound", "error": product.Absent,
		"src.workload": "client", "src.namespace": namespace, "src.cluster": "Kubernetes", "src.identity": client.identity(),
		"dst.addr": server.at(server.IPv4, hbonePort).String(), "dst.hbone_addr": remoteHost + ":80", "dst.service": remoteHost,
		"bytes_sent": answerBytes, "bytes_recv": helloBytes,
	})
	for _, r := range server.app.EndedRecords(":8080", calls) {
		if r.Peer.Addr() != gateway.IPv4 || r.End != agent.EndEOF {
			t.Errorf("the server saw %+v, want a call from the gateway %v that ends well", r, gateway.IPv4)
		}
	}
	seen := gateway.app.Requests()
	if len(seen) != calls {
		t.Fatalf("the gateway saw %d CONNECTs, want %d", len(seen), calls)
	}
	for _, r := range seen {
		if r.Authority != remoteHost+":80" || r.Identity != client.identity() || r.Header.Get("X-Forwarded-Network") != "" {
			t.Errorf("the gateway saw %+v, want an outer CONNECT for the hostname", r)
		}
	}
	if seen[0].Peer != seen[1].Peer {
		t.Errorf("two outer tunnels, from %v and %v; want one for both", seen[0].Peer, seen[1].Peer)
	}
}

// TestDoubleHBONEByHostname refers to the gateway by its service, which maps its port. The far end is not Troupe, and says
// with its baggage that it is another workload.
func TestDoubleHBONEByHostname(t *testing.T) {
	w, client, gateway, server := federation(t, func(w *world) (gateway, server *member) {
		gateway = w.pod("gateway", remoteNode, uncaptured, inService(gatewayHost, mesh.Ports{15009: hbonePort}))
		w.mesh.Services = []mesh.Service{{
			Name: "gateway", Namespace: namespace, Hostname: gatewayHost, VIPs: []string{"/10.10.0.99"},
			Ports: mesh.Ports{15009: hbonePort},
		}}
		server = w.pod("server", remoteNode, uncaptured, onRemoteNetwork(mesh.Gateway{Destination: namespace + "/" + gatewayHost, Port: 15009}))
		return gateway, server
	})
	serveGateway(w, gateway, server, hbonePort)
	server.app.ServeWaypoint(agent.Waypoint{
		Address: server.at(server.IPv4, hbonePort).String(), CADir: w.caDir, Identity: server.identity(),
		Baggage: "k8s.cluster.name=east,k8s.namespace.name=abroad,k8s.deployment.name=store,service.name=store,service.version=v7",
	})

	conn := client.app.Dial(netip.MustParseAddrPort(vip + ":80"))
	conn.Write(hello)
	conn.Expect(waypointAnswer)
	conn.CloseWrite()
	conn.ExpectEnd(agent.EndEOF)
	client.proxy.ExpectAccess(product.Fields{
		"message": "connection complete", "level": "info", "direction": "outbound", "error": product.Absent,
		"dst.addr": gateway.at(gateway.IPv4, hbonePort).String(), "dst.hbone_addr": remoteHost + ":80", "dst.service": remoteHost,
		"dst.workload": "store", "dst.namespace": "abroad", "dst.cluster": "east", "dst.identity": server.identity(),
		"bytes_sent": helloBytes, "bytes_recv": "20",
	})
	inner := server.app.Requests()
	if len(inner) != 1 || inner[0].Authority != remoteHost+":80" || inner[0].Identity != client.identity() {
		t.Fatalf("the far end saw %+v, want one CONNECT %s:80 by %s", inner, remoteHost, client.identity())
	}
	if network, has := inner[0].Header["X-Forwarded-Network"]; !has || strings.Join(network, "") != "" {
		t.Errorf("the inner CONNECT's x-forwarded-network is %q, want the client's, which has no name", network)
	}
	outer := gateway.app.Requests()
	if len(outer) != 1 || outer[0].Header.Get("Traceparent") != inner[0].Header.Get("Traceparent") {
		t.Errorf("the outer CONNECT is %+v, want the inner one's traceparent %s", outer, inner[0].Header.Get("Traceparent"))
	}
}

// TestDoubleHBONEFailsClosed: without a gateway, with one that nobody knows, and with a far end that is somebody else,
// nothing gets through, though the far end's application would answer.
func TestDoubleHBONEFailsClosed(t *testing.T) {
	for name, test := range map[string]struct {
		gateway func(m *member)
		san     string
		want    product.Fields
	}{
		"no gateway": {
			gateway: func(m *member) { m.workload.NetworkGateway = nil },
			want:    product.Fields{"level": "warn", "message": "connection failed", "error": "no healthy upstream: " + vip + ":80"},
		},
		"a gateway that nobody knows": {
			gateway: func(m *member) { m.workload.NetworkGateway.Destination = namespace + "/" + gatewayHost },
			want: product.Fields{
				"level": "warn", "message": "connection failed",
				"error": "unknown network gateway: network gateway " + gatewayHost + " not found",
			},
		},
		"somebody else at the far end": {
			san:  "spiffe://cluster.local/ns/default/sa/other",
			want: product.Fields{"level": "error", "message": "connection complete", "dst.hbone_addr": remoteHost + ":80"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			client, gateway := w.pod("client", localNode), w.pod("gateway", localNode, uncaptured)
			server := w.pod("server", remoteNode, onRemoteNetwork(mesh.Gateway{Destination: "/" + gateway.IPv4.String(), Port: hbonePort}))
			if test.gateway != nil {
				test.gateway(server)
			}
			if test.san == "" {
				test.san = server.identity()
			}
			w.mesh.Services = []mesh.Service{{
				Name: "remote", Namespace: namespace, Hostname: remoteHost, VIPs: []string{"/" + vip}, Ports: mesh.Ports{80: serverPort},
				SubjectAltNames: []string{test.san},
			}}
			w.start()
			serveGateway(w, gateway, server, hbonePort)
			server.app.Listen(":8080", agent.Double)
			conn := client.app.Dial(netip.MustParseAddrPort(vip + ":80"))
			if got, end := conn.ReadAll(); got != "" || end != agent.EndReset && end != agent.EndEOF {
				t.Errorf("the client read %q and the end %q, want to be cut off", got, end)
			}
			client.proxy.ExpectAccess(test.want)
			if got := server.app.Records(":8080", 0); len(got) != 0 {
				t.Errorf("the server had %+v, want nothing", got)
			}
		})
	}
}
