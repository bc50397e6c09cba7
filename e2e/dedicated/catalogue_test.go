package dedicated

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/features"
)

// catalogue says which test here stands for which of the reference's (spec/ops.md §11.2 and §11.3).
var catalogue = []struct{ reference, here string }{
	{"namespaced local_captured_inpod", "TestLocalCaptured"},
	{"namespaced server_uncaptured_inpod", "TestServerUncaptured"},
	{"namespaced client_uncaptured_inpod", "TestClientUncaptured"},
	{"namespaced cross_node_captured_inpod", "TestCrossNodeCaptured"},
	{"namespaced server_uncaptured_dedicated", "TestServerUncapturedDedicated"},
	{"namespaced client_uncaptured_dedicated", "TestServerUncapturedDedicated"}, // the reference's two are the same
	{"namespaced cross_node_captured_dedicated", "TestCrossNodeCapturedDedicated"},
	{"namespaced workload_waypoint", "TestWorkloadWaypoint"},
	{"namespaced service_waypoint", "TestServiceWaypoint"},
	{"namespaced service_waypoint_hostname", "TestServiceWaypointHostname"},
	{"namespaced service_waypoint_workload_hostname", "TestServiceWaypointWorkloadHostname"},
	{"namespaced double_hbone1", "TestDoubleHBONE"},
	{"namespaced double_hbone2", "TestDoubleHBONEByHostname"},
	{"namespaced sandwich_waypoint_plain", "TestSandwichWaypointPlain"},
	{"namespaced sandwich_waypoint_proxy_protocol", "TestSandwichWaypointProxyProtocol"},
	{"namespaced service_loadbalancing", "TestServiceLoadBalancing"},
	{"namespaced test_ztunnel_shutdown", "TestProxyShutdown"},
	{"namespaced test_policy", "TestPolicy"},
	{"namespaced hbone_ip_mismatch", "TestHBONEIPMismatch"},
	{"namespaced test_svc_hostname_port", "TestServiceHostnamePort"},
	{"namespaced test_svc_hostname_named_port", "TestServiceHostnameNamedPort"},
	{"namespaced malicious_calls_inpod", "TestMaliciousCalls"},
	{"namespaced trust_domain_mismatch_rejected", "TestTrustDomainMismatch"},
	{"namespaced crl_inbound_rejects_revoked_cert", "TestRevokedCertificates"},
	{"namespaced crl_outbound_rejects_revoked_cert", "TestRevokedCertificates"},
	{"namespaced crl_inbound_terminates_existing_connection_on_revocation", "TestRevokedCertificates"},
	{"namespaced crl_outbound_terminates_existing_connection_on_revocation", "TestRevokedCertificates"},
	{"direct test_shutdown_lifecycle", "TestShutdownLifecycle"},
	{"direct test_quit_lifecycle", "TestShutdownLifecycle"},
	{"direct test_conflicting_bind_error_inbound", "TestConflictingBind"},
	{"direct test_conflicting_bind_error_inbound_plaintext", "TestConflictingBind"},
	{"direct test_conflicting_bind_error_outbound", "TestConflictingBind"},
	{"direct test_conflicting_bind_error_admin", "TestConflictingBind"},
	{"direct test_shutdown_drain", "TestProxyShutdown"},
	{"direct test_shutdown_forced_drain", "TestForcedShutdown"},
	{"direct test_hbone_request", "TestSOCKSRequests"},
	{"direct test_hbone_request_local", "TestSOCKSRequests"},
	{"direct test_tcp_request", "TestSOCKSRequests"},
	{"direct test_tcp_request_local", "TestSOCKSRequests"},
	{"direct test_vip_request", "TestSOCKSRequests"},
	{"direct test_vip_request_local", "TestSOCKSRequests"},
	{"direct test_stats_exist", "TestStatsExist"},
	{"direct test_tcp_connections_metrics", "TestConnectionMetrics"},
	{"direct test_tcp_bytes_metrics", "TestConnectionMetrics"},
}

// elsewhere says which tests of other packages stand for those of the reference's that need more than a lab of dedicated
// proxies: shared mode, or a name server of their own.
var elsewhere = map[string]string{
	"namespaced test_server_shutdown":       "e2e/inpod.TestServerIsDeleted",
	"namespaced test_prefetch_forget_certs": "actors/state.TestPrefetchForgetCerts actors/identity.TestForget",
	"namespaced test_hbone_metrics_access":  "e2e/inpod.TestCatalogue",
	"direct test_hostname_request_local":    "bootstrap/proxy.TestHostNameBySOCKS5 bootstrap/proxy.TestDNSProxy",
	"direct test_on_demand_dns_request":     "bootstrap/proxy.TestOnDemandDNS",
	"direct test_dns_metrics":               "bootstrap/proxy.TestDNSProxy",
}

// How many tests the reference's two suites have.
const (
	namespacedTests = 30
	directTests     = 20
)

func TestCatalogueIsWhole(t *testing.T) {
	tests := testNames(t)
	counts := map[string]int{}
	count := func(reference string) {
		suite, _, _ := strings.Cut(reference, " ")
		counts[suite]++
	}
	seen := map[string]bool{}
	for _, c := range catalogue {
		if !tests[c.here] {
			t.Errorf("%s: there is no %s", c.reference, c.here)
		}
		if _, both := elsewhere[c.reference]; both || seen[c.reference] {
			t.Errorf("%s: listed twice", c.reference)
		}
		seen[c.reference] = true
		count(c.reference)
	}
	for reference, there := range elsewhere {
		for _, missing := range features.Missing(os.DirFS("../.."), there) {
			t.Errorf("%s: %s", reference, missing)
		}
		count(reference)
	}
	if counts["namespaced"] != namespacedTests || counts["direct"] != directTests {
		t.Errorf("the catalogue has %v, the reference %d namespaced and %d direct tests", counts, namespacedTests, directTests)
	}
}

// testNames are the test functions of this package.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				names[f.Name.Name] = true
			}
		}
	}
	return names
}
