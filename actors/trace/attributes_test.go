package trace

import (
	"net/netip"
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"

	"github.com/troupe-mesh/troupe/messages"
)

func attrText(attrs []attribute.KeyValue) (out []string) {
	for _, kv := range attrs {
		out = append(out, string(kv.Key)+"="+kv.Value.String())
	}
	return out
}

func TestRecordAttributes(t *testing.T) {
	r := outboundRecord()
	r.RootID = messages.SpanID{1, 2, 3, 4, 5, 6, 7, 8}
	want := []string{
		"troupe.direction=outbound", "troupe.mode=hbone", "troupe.request_type=Direct", "troupe.connection.id=0102030405060708",
		"network.transport=tcp", "network.type=ipv4", "source.address=10.0.2.2", "source.port=43370",
		"destination.address=10.96.0.7", "destination.port=80", "troupe.authority=10.0.3.9:8080",
		"troupe.source.workload=cart-1", "troupe.source.namespace=shop", "troupe.source.principal=spiffe://cluster.local/ns/shop/sa/cart",
		"troupe.source.cluster=Kubernetes", "troupe.destination.workload=pay-7", "troupe.destination.namespace=shop",
		"troupe.destination.principal=spiffe://cluster.local/ns/shop/sa/pay", "troupe.destination.cluster=Kubernetes",
		"troupe.destination.service=pay.shop.svc.cluster.local", "troupe.pool.hit=false",
	}
	if got := attrText(recordAttributes(r)); !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	claimed := inboundRecord()
	claimed.Source = nil
	claimed.Src = netip.MustParseAddrPort("[2001:db8::1]:9")
	got := attrText(recordAttributes(claimed))
	for _, want := range []string{"troupe.source.peer_claimed=true", "network.type=ipv6", "source.address=2001:db8::1"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
}

func TestClientAttributesNameThePeersService(t *testing.T) {
	f := &frozen{Record: *outboundRecord()}
	want := []string{
		"http.request.method=CONNECT", "network.protocol.name=http", "server.address=10.0.3.9", "server.port=15008",
		"troupe.authority=10.0.3.9:8080", "service.peer.name=pay", "service.peer.namespace=shop", "http.response.status_code=200",
	}
	if got := attrText(clientAttributes(f, messages.SpanMark{})); !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	f.Service = nil
	got := attrText(clientAttributes(f, messages.SpanMark{Reason: messages.ReasonPolicyDeniedByPeer}))
	if !slices.Contains(got, "service.peer.name=pay") || !slices.Contains(got, "http.response.status_code=401") {
		t.Errorf("without a service: %q", got)
	}
	got = attrText(clientAttributes(f, messages.SpanMark{Reason: messages.ReasonH2Failed}))
	if slices.ContainsFunc(got, func(s string) bool { return s == "http.response.status_code=503" }) {
		t.Errorf("a status that nobody sent: %q", got)
	}
}

func TestVerdictAttributesNameTheDenier(t *testing.T) {
	for _, tt := range []struct {
		verdict *messages.Verdict
		want    []string
	}{
		{nil, nil},
		{&messages.Verdict{Allowed: true, Policy: denyPolicy}, nil},
		{&messages.Verdict{Rule: -1}, nil},
		{&messages.Verdict{Policy: denyPolicy, Rule: 2}, []string{
			"security_rule.name=shop/deny-cart", "security_rule.category=deny", "troupe.verdict=denied", "troupe.rule.index=2",
		}},
	} {
		if got := attrText(verdictAttributes(tt.verdict)); !slices.Equal(got, tt.want) {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
