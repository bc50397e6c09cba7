package features

// defects is spec/dataplane.md §15: what the reference does wrong, what is done here instead, and the tests that hold it so.
// Where something is kept it is because others depend on it, and what was missing is there beside it.
var defects = []Row{
	{1, "waiters of a failed first dial hear of its failure; nothing is kept for a peer that is gone", "actors/pool.TestFailedDialIsShared actors/pool.TestPeersAreBounded", ""},
	{2, "kept: a TLS handshake that fails counts as CONNECT; the reason tells it apart", "actors/trace.TestOneReasonInLogMetricAndSpan e2e/bubble.TestOutboundFailures messages.TestEveryReasonIsComplete", ""},
	{3, "handshakes, SOCKS5 negotiation, preface and the answer to a CONNECT have time limits", "e2e/bubble.TestHandshakeFailures e2e/bubble.TestSOCKSClientThatSaysNothing transport/hbone.TestPrefaceDeadlines transport/hbone.TestConnectDeadlines", ""},
	{4, "a traceparent of zeros is no parent, and no panic", "transport/traceparent.TestParseRefuses transport/traceparent.FuzzParse", ""},
	{5, "accept errors back off", "actors/pod.TestAcceptErrorsDoNotSpin actors/admin.TestAcceptErrorsAreNotTheEnd", ""},
	{6, "kept: a host name need not be of a service of the workload; its port leads nowhere that an address does not", "actors/flow/route.TestFindInboundUpstream e2e/oracle.TestInboundAgrees", ""},
	{7, "weighted waypoints are waypoints of the sandwich too", "actors/flow/route.TestFindInboundUpstream e2e/oracle.TestInboundAgrees", ""},
	{8, "live connections are judged again when the workload's own list of policies changes", "e2e/bubble.TestWorkloadChangeClosesLiveConnections e2e/bubble.TestWorkloadThatLosesItsAllowance", ""},
	{9, "kept: unknown policies are skipped; counted, shown, and denied where UNKNOWN_POLICY says so", "e2e/bubble.TestWorkloadThatNamesAnUnknownPolicy actors/trace.TestUnknownPoliciesAreCountedAndWarnedOfOnce actors/admin.TestDumpUnknownPolicies", ""},
	{10, "a part of a policy that can't be parsed fails closed", "transport/xds.TestPolicyFailsClosed e2e/istiod.TestNACK", ""},
	{11, "a grace period of 0 is a deadline of a second", "bootstrap/config.TestEachVariable", ""},
	{12, "failed handshakes and early denials are counted by reason, beside the reference's traffic metrics", "actors/trace.TestOneReasonInLogMetricAndSpan", ""},
	{13, "kept: failed counts errors of what was established; the reason tells them apart", "actors/trace.TestOneReasonInLogMetricAndSpan e2e/bubble.TestCutConnectionIsTold", ""},
	{14, "SOCKS5 is answered when the upstream is known", "e2e/bubble.TestSOCKSFailures", ""},
	{15, "a revocation list that can't be read at the start fails the start", "transport/mtls.TestUnusableFileAtStart e2e/bubble.TestRevocationFileComesAndGoes", ""},
	{16, "those who wait for a dial share its failure", "actors/pool.TestFailedDialIsShared", ""},
	{17, "a certificate of several ids is judged by the one that policy and telemetry use", "transport/mtls.TestServerVerifiesItsClient transport/mtls.TestIdentities transport/mtls.TestClientVerifiesItsServer", ""},
	{18, "metadata that can't stand in a header fails its connection, and nothing else", "actors/flow.TestIllegalMetadataFailsTheFlow", ""},
	{19, "a shutdown ends handshakes", "e2e/bubble.TestDrainDuringTheHandshake", ""},
	{20, "the proxy's own listener is a pod like any other, and is reviewed like one", "e2e/inpod.TestCatalogue e2e/bubble.TestPolicyChangeClosesLiveConnections", ""},
	{21, "a pod of the mesh is called through the mesh, also below the addresses of a passthrough service", "actors/flow/route.TestBuildRequest e2e/oracle.TestOutboundAgrees", ""},
}
