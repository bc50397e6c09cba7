package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/google/go-cmp/cmp"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	cartName  = messages.NamespacedHostname{Namespace: "shop", Hostname: "cart.shop.svc.cluster.local"}
	otherName = messages.NamespacedHostname{Namespace: "shop", Hostname: "other.shop.svc.cluster.local"}
)

func host(s string) messages.GatewayAddress {
	d, err := messages.ParseDestination(s)
	if err != nil {
		panic(err)
	}
	return messages.GatewayAddress{Destination: d, HBONEMTLSPort: 15008}
}

// fullSources dump one value of everything.
func fullSources() Sources {
	waypoint, gateway := host("shop/wp.shop.svc.cluster.local"), host("net2/10.9.9.9")
	small := &messages.Workload{
		UID: "Kubernetes//Pod/shop/cart-1", Name: "cart-1", Namespace: "shop", WorkloadIPs: []netip.Addr{netip.MustParseAddr("10.0.2.3")},
		Protocol: messages.ProtocolHBONE, TrustDomain: "cluster.local", ServiceAccount: "cart", ClusterID: "Kubernetes", Capacity: 1,
		Node: "n1", WorkloadName: "cart", WorkloadType: "deployment", Services: []messages.NamespacedHostname{cartName},
	}
	large := &messages.Workload{
		UID: "A", Name: "full", Namespace: "shop", Waypoint: &waypoint, NetworkGateway: &gateway, NetworkMode: messages.NetworkHost,
		TrustDomain: "td", ServiceAccount: "sa", Network: "net1", WorkloadName: "w", WorkloadType: "job", CanonicalName: "c",
		CanonicalRevision: "v1", Hostname: "full.example", Node: "n2", NativeTunnel: true,
		ApplicationTunnel: &messages.ApplicationTunnel{Protocol: messages.TunnelProxy}, AuthorizationPolicies: []string{"shop/p"},
		Status: messages.Unhealthy, ClusterID: "k2", Locality: messages.Locality{Region: "r", Zone: "z"}, Capacity: 0,
	}
	endpoint := map[string]messages.Endpoint{small.UID: {Workload: small, Ports: messages.PortMap{80: 8080, 443: 8443, 1000: 1}}}
	cart := &messages.Service{
		Name: "cart", Namespace: "shop", Hostname: cartName.Hostname,
		VIPs:  []messages.NetworkAddress{{Addr: netip.MustParseAddr("10.96.4.2")}},
		Ports: messages.PortMap{80: 8080}, Waypoint: &waypoint, Canonical: true,
	}
	rich := &messages.Service{
		Name: "a", Namespace: "shop", Hostname: "a.shop", CIDRVIPs: []messages.NetworkPrefix{{Network: "n", Prefix: netip.MustParsePrefix("10.2.0.0/16")}},
		SubjectAltNames: []string{"spiffe://a/ns/b/sa/c"}, WeightedWaypoints: []messages.WeightedWaypoint{{Destination: waypoint, Weight: 3}},
		LoadBalancer: &messages.LoadBalancer{RoutingPreferences: []messages.Scope{messages.ScopeNode}, Mode: messages.BalanceStrict, HealthPolicy: messages.AllowAll},
		IPFamilies:   messages.FamiliesDual, Visibility: messages.VisibilityNamespace,
	}
	prefixes := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	accounts := []messages.ServiceAccountMatch{{Namespace: "a", ServiceAccount: "b"}}
	stringsOf := func(k messages.StringMatchKind) []messages.StringMatch {
		return []messages.StringMatch{{Kind: k, Value: "<v>"}}
	}
	every := messages.Match{
		Namespaces: stringsOf(messages.MatchExact), NotNamespaces: stringsOf(messages.MatchPrefix),
		Principals: stringsOf(messages.MatchSuffix), NotPrincipals: stringsOf(messages.MatchPresence),
		ServiceAccounts: accounts, NotServiceAccounts: accounts, SourceIPs: prefixes, NotSourceIPs: prefixes, DestinationIPs: prefixes,
		NotDestinationIPs: prefixes, DestinationPorts: []uint16{80}, NotDestinationPorts: []uint16{81}, Unparsable: true,
	}
	policies := []*messages.Authorization{
		{Key: "shop/z", Name: "z", Namespace: "shop", Scope: messages.ScopeWorkloadSelector, Rules: []messages.Rule{{{every}}, {}}},
		{
			Key: "shop/no-9999", Name: "no-9999", Namespace: "shop", Scope: messages.ScopeNamespace, Action: messages.ActionDeny, DryRun: true,
			Rules: []messages.Rule{{{{DestinationPorts: []uint16{9999}}}}},
		},
	}
	day := time.Date(2026, 8, 21, 10, 58, 0, 999, time.FixedZone("x", 7200))
	pem := messages.CertificatePEM{PEM: []byte("-----BEGIN"), SerialNumber: "2716760551", NotBefore: day, NotAfter: day.Add(24 * time.Hour)}
	return Sources{
		Workloads: func(context.Context) ([]*messages.Workload, error) { return []*messages.Workload{small, large}, nil },
		Services: func(context.Context) (*messages.ServicesDumped, error) {
			return &messages.ServicesDumped{
				Services: []messages.ServiceDump{{Service: cart, Endpoints: endpoint}, {Service: rich}},
				Staged:   map[messages.NamespacedHostname]map[string]messages.Endpoint{otherName: {large.UID: {Workload: large}}},
			}, nil
		},
		Policies: func(context.Context) ([]*messages.Authorization, error) { return policies, nil },
		Certificates: func(context.Context) ([]messages.CertificateDump, error) {
			return []messages.CertificateDump{
				{Identity: "spiffe://b", State: "Unavailable: no CA"},
				{Identity: "spiffe://a", State: "Available", Chain: []messages.CertificatePEM{pem}, Roots: []messages.CertificatePEM{pem}},
			}, nil
		},
		Static: func() (*Static, error) {
			return &Static{
				Workloads: []messages.WorkloadUpdate{{Workload: small, Ports: map[messages.NamespacedHostname]messages.PortMap{cartName: {80: 8080}, otherName: nil}}},
				Services: []messages.ServiceUpdate{{Service: cart, Endpoints: map[string]messages.StatedEndpoint{
					"w": {WorkloadUID: "w", Status: messages.Unhealthy},
				}}},
				Policies: policies[1:],
			}, nil
		},
		Config:  map[string]any{"z": 1, "a": "<>&"},
		Version: struct{ Version, GitRevision string }{"1", "2"},
		Sections: map[string]func(context.Context) (any, error){
			"workloadState": func(context.Context) (any, error) { return struct{ B, A int }{1, 2}, nil },
		},
	}
}

func TestDumpGolden(t *testing.T) {
	h, _, _ := newHandler(t, fullSources())
	w := ask1(h, "GET", "/config_dump")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	golden := filepath.Join("testdata", "config_dump.json")
	if *update {
		if err := os.WriteFile(golden, append(w.Body.Bytes(), '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSuffix(string(want), "\n"), "\n"), strings.Split(w.Body.String(), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// Keys are sorted at every level: encoding the decoded dump again changes nothing.
	var value any
	if err := json.Unmarshal(w.Body.Bytes(), &value); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	e := json.NewEncoder(&again)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(value); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.TrimSuffix(again.String(), "\n"), w.Body.String()); diff != "" {
		t.Errorf("keys are not sorted:\n%s", diff)
	}
}

func TestDumpOfNothing(t *testing.T) {
	h, _, _ := newHandler(t, Sources{})
	w := ask1(h, "POST", "/config_dump")
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	empty := []any{}
	want := map[string]any{
		"certificates": empty, "config": nil, "policies": empty, "services": empty, "stagedServices": map[string]any{},
		"staticConfig": map[string]any{"workloads": empty, "services": empty, "policies": empty}, "version": nil, "workloads": empty,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDumpFailures(t *testing.T) {
	broken := errors.New("store is away")
	tests := map[string]Sources{
		"workloads":    {Workloads: func(context.Context) ([]*messages.Workload, error) { return nil, broken }},
		"services":     {Services: func(context.Context) (*messages.ServicesDumped, error) { return nil, broken }},
		"policies":     {Policies: func(context.Context) ([]*messages.Authorization, error) { return nil, broken }},
		"certificates": {Certificates: func(context.Context) ([]messages.CertificateDump, error) { return nil, broken }},
		"extra":        {Sections: map[string]func(context.Context) (any, error){"extra": func(context.Context) (any, error) { return nil, broken }}},
	}
	for name, s := range tests {
		h, _, _ := newHandler(t, s)
		if w := ask1(h, "GET", "/config_dump"); w.Code != 500 || w.Body.String() != "dump "+name+": store is away" {
			t.Errorf("%s: got %d %q", name, w.Code, w.Body)
		}
	}
	h, _, _ := newHandler(t, Sources{Config: func() {}})
	if w := ask1(h, "GET", "/config_dump"); w.Code != 500 {
		t.Errorf("a config without JSON form: got %d", w.Code)
	}
	h, _, _ = newHandler(t, Sources{Static: func() (*Static, error) { return nil, broken }})
	if w := ask1(h, "GET", "/config_dump"); w.Code != 200 {
		t.Errorf("a local state that is wrong by now: got %d %q", w.Code, w.Body)
	}
}

// keeper answers for all four stores.
type keeper struct{}

func (keeper) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.DumpCertificates:
		ctx.Respond(&messages.CertificatesDumped{Certificates: []messages.CertificateDump{{Identity: "i"}}})
	case *messages.DumpState:
		switch ctx.Self().Id {
		case "workloads":
			ctx.Respond(&messages.WorkloadsDumped{Workloads: []*messages.Workload{{UID: "u"}}})
		case "services":
			ctx.Respond(&messages.ServicesDumped{Services: []messages.ServiceDump{{Service: &messages.Service{Hostname: "h"}}}})
		case "policies":
			ctx.Respond(&messages.PoliciesDumped{Policies: []*messages.Authorization{{Key: "k"}}})
		}
	default:
		_ = m
	}
}

func TestStoresAreAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sys := kit.NewSystem(kit.Config{})
		defer func() {
			if err := sys.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		spawn := func(name string) *actor.PID {
			pid, err := sys.SpawnRoot(kit.Spec{Role: name, New: func() actor.Actor { return keeper{} }, Capacity: 8}, name)
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
		stores := Stores{Workloads: spawn("workloads"), Services: spawn("services"), Policies: spawn("policies"), Certificates: spawn("certificates")}
		s := stores.Ask(sys)
		ctx := t.Context()
		if got, err := s.Workloads(ctx); err != nil || got[0].UID != "u" {
			t.Errorf("got %v, %v", got, err)
		}
		if got, err := s.Services(ctx); err != nil || got.Services[0].Service.Hostname != "h" {
			t.Errorf("got %v, %v", got, err)
		}
		if got, err := s.Policies(ctx); err != nil || got[0].Key != "k" {
			t.Errorf("got %v, %v", got, err)
		}
		if got, err := s.Certificates(ctx); err != nil || got[0].Identity != "i" {
			t.Errorf("got %v, %v", got, err)
		}
		sys.Stop(stores.Workloads)
		synctest.Wait()
		if _, err := s.Workloads(ctx); err == nil {
			t.Error("a store that is gone answered")
		}
		if none := (Stores{}).Ask(sys); none.Workloads != nil || none.Services != nil || none.Policies != nil || none.Certificates != nil {
			t.Error("no store, and yet a source")
		}
	})
}
