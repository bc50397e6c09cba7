package features

// errorTexts are the texts of spec/dataplane.md §2.12, §4.5, §6, §7.4, §8 and §11.6 as people search for them in logs: each must
// be in the sources of a package whose test is named here.
//
// Not here are three that nothing can cause any more: "tls error: " and "ssl error: ", since a TLS configuration is made of what
// was checked before, and "connection does not match workload key!", since keys are compared whole. A fourth, "http2 handshake
// failed: ", needs a connection that breaks between the end of the TLS handshake and the first write, which no test arranges.
var errorTexts = []Row{
	{1, "attempted recursive call to ourselves", "e2e/bubble.TestOutboundFailures actors/flow/route.TestLoop", ""},
	{2, "failed to fetch information about local workload: ", "e2e/bubble.TestLocalWorkloadComesLate", ""},
	{3, "unknown waypoint: ", "e2e/bubble.TestWaypoints actors/flow/route.TestBuildRequest", ""},
	{4, "unknown network gateway: ", "e2e/dedicated.TestDoubleHBONEFailsClosed actors/flow/route.TestBuildRequest", ""},
	{5, "no valid routing destination for workload: Workload{", "actors/flow/route.TestBuildRequest", ""},
	{6, "no healthy upstream: ", "e2e/dedicated.TestServiceWithoutEndpointsFails e2e/bubble.TestOutboundFailures", ""},
	{7, "no service for target address: ", "actors/flow/route.TestRemoteWorkloadByAddress", ""},
	{8, "no ip addresses were resolved for workload: ", "actors/flow/route.TestHostnameWorkloads", ""},
	{9, "had no A/AAAA records", "actors/flow/route.TestHostnameWorkloads", ""},
	{10, "io error: ", "e2e/bubble.TestOutboundFailures", ""},
	{11, "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: ", "e2e/bubble.TestOutboundFailures", ""},
	{12, "identity error: ", "e2e/bubble.TestUnavailableCertificate", ""},
	{13, "h2 failed: ", "e2e/bubble.TestOutboundFailures", ""},
	{14, "http status: ", "e2e/bubble.TestOutboundFailures", ""},
	{15, "pool draining", "actors/pool.TestDrainingPool", ""},
	{16, "while closing connection: ", "transport/relay.TestCopyErrorText e2e/bubble.TestDrainDeadlineCuts", ""},
	{17, "send: destination disconnected before all data was written", "transport/relay.TestCopyErrorText", ""},
	{18, "receive: client disconnected before all data was written", "transport/relay.TestCopyErrorText", ""},
	{19, "connection closed: peer certificate revoked by CRL", "e2e/dedicated.TestRevokedCertificates e2e/bubble.TestRevocationCutsLiveTunnels", ""},
	{20, "connection closed due to connection drain", "e2e/bubble.TestDrainDeadlineCuts", ""},
	{21, "connection closed due to policy change", "e2e/bubble.TestPolicyChangeClosesLiveConnections e2e/controlplane.TestLifeUnderIstiod", ""},
	{22, "connection closed due to policy rejection: explicitly denied by: ", "e2e/dedicated.TestPolicyDeniesBySourceAddressInPlaintext e2e/bubble.TestPolicyVerdicts", ""},
	{23, "connection closed due to policy rejection: allow policies exist, but none allowed", "e2e/dedicated.TestPolicy", ""},
	{24, "connection failed: ", "e2e/bubble.TestInboundStatuses", ""},
	{25, "ip mismatch: ", "e2e/dedicated.TestHBONEIPMismatch e2e/bubble.TestInboundStatuses", ""},
	{26, "no service or workload for hostname: ", "e2e/bubble.TestInboundStatuses", ""},
	{27, "found, but cannot resolve port", "e2e/bubble.TestInboundStatuses", ""},
	{28, "found, but has no IP addresses", "actors/flow/route.TestFindInboundUpstream", ""},
	{29, "expected method CONNECT, got ", "e2e/dedicated.TestNotACONNECT", ""},
	{30, "no valid authority pseudo header: ", "e2e/bubble.TestInboundStatuses", ""},
	{31, "tls handshake error: ", "e2e/bubble.TestHandshakeFailures", ""},
	{32, "signing error: ", "e2e/bubble.TestHandshakeFailures", ""},
	{33, "failed to bind to address ", "e2e/dedicated.TestConflictingBind", ""},
	{34, "failed to negotiate socks connection: ", "e2e/bubble.TestSOCKSFailures", ""},
	{35, "peer did not present the expected SAN", "transport/mtls.TestClientVerifiesItsServer", ""},
	{36, "did not present the expected trustdomain", "transport/mtls.TestServerVerifiesItsClient", ""},
}
