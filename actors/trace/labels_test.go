package trace

import (
	"strings"
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func labelText(r *messages.Record) string {
	l := labelsOf(r)
	values := l.values(nil)
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = trafficLabels[i] + "=" + v
	}
	return strings.Join(out, " ")
}

func TestLabelsOfARecord(t *testing.T) {
	const cartSource = "source_workload=cart source_canonical_service=cart source_canonical_revision=v1 source_workload_namespace=shop "
	const cartLeft = "source_app=cart source_version=v1 source_cluster=Kubernetes "
	const unknownService = "destination_service=unknown destination_service_namespace=unknown destination_service_name=unknown "
	const payService = "destination_service=pay.shop.svc.cluster.local destination_service_namespace=shop destination_service_name=pay "
	const payDestination = "destination_workload=pay destination_canonical_service=pay destination_canonical_revision=v2 " +
		"destination_workload_namespace=shop destination_principal=spiffe://cluster.local/ns/shop/sa/pay destination_app=pay " +
		"destination_version=v2 destination_cluster=Kubernetes "
	const unknownDestination = "destination_workload=unknown destination_canonical_service=unknown destination_canonical_revision=unknown " +
		"destination_workload_namespace=unknown destination_principal=unknown destination_app=unknown " +
		"destination_version=unknown destination_cluster=unknown "
	claimed := &messages.DerivedWorkload{
		Workload: "far-abc", CanonicalName: "far", CanonicalRevision: "v9", Namespace: "away", Cluster: "other",
		Region: "us", Zone: "us-1", Identity: messages.Identity{TrustDomain: "td", Namespace: "away", ServiceAccount: "far"},
	}
	tests := []struct {
		name   string
		record *messages.Record
		want   string
	}{
		{
			"outbound HBONE", outboundRecord(),
			"reporter=source " + cartSource + "source_principal=spiffe://cluster.local/ns/shop/sa/cart " + cartLeft + payService + payDestination +
				"request_protocol=tcp response_flags=- connection_security_policy=mutual_tls " +
				"source_region=eu source_zone=eu-1 destination_region=eu destination_zone=eu-2",
		},
		{
			"outbound TCP to an unknown target", &messages.Record{Source: cart},
			"reporter=source " + cartSource + "source_principal=unknown " + cartLeft + unknownService + unknownDestination +
				"request_protocol=tcp response_flags=- connection_security_policy=unknown " +
				"source_region=eu source_zone=eu-1 destination_region=unknown destination_zone=unknown",
		},
		{
			"inbound HBONE of an unknown source: what its baggage claims",
			&messages.Record{Direction: messages.Inbound, MutualTLS: true, DerivedSource: claimed, Destination: pay},
			"reporter=destination source_workload=far-abc source_canonical_service=far source_canonical_revision=v9 " +
				"source_workload_namespace=away source_principal=spiffe://td/ns/away/sa/far source_app=far-abc source_version=v9 source_cluster=other " +
				unknownService + payDestination + "request_protocol=tcp response_flags=- connection_security_policy=mutual_tls " +
				"source_region=us source_zone=us-1 destination_region=eu destination_zone=eu-2",
		},
		{
			"a known source overrides all claims but the principal",
			&messages.Record{Direction: messages.Inbound, MutualTLS: true, DerivedSource: claimed, Source: cart, Destination: pay},
			"reporter=destination " + cartSource + "source_principal=spiffe://td/ns/away/sa/far " + cartLeft + unknownService + payDestination +
				"request_protocol=tcp response_flags=- connection_security_policy=mutual_tls " +
				"source_region=eu source_zone=eu-1 destination_region=eu destination_zone=eu-2",
		},
		{
			"the far side of a gateway replaces the gateway", &messages.Record{
				MutualTLS: true, Source: cart, Destination: pay, Service: paySvc, DerivedDestination: claimed,
			},
			"reporter=source " + cartSource + "source_principal=unknown " + cartLeft + payService +
				"destination_workload=far-abc destination_canonical_service=far destination_canonical_revision=v9 " +
				"destination_workload_namespace=away destination_principal=spiffe://td/ns/away/sa/far destination_app=far-abc " +
				"destination_version=v9 destination_cluster=other request_protocol=tcp response_flags=- connection_security_policy=mutual_tls " +
				"source_region=eu source_zone=eu-1 destination_region=us destination_zone=us-1",
		},
		{
			"nothing known: no localities", &messages.Record{Direction: messages.Inbound},
			"reporter=destination source_workload=unknown source_canonical_service=unknown source_canonical_revision=unknown " +
				"source_workload_namespace=unknown source_principal=unknown source_app=unknown source_version=unknown source_cluster=unknown " +
				unknownService + unknownDestination + "request_protocol=tcp response_flags=- connection_security_policy=unknown",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := labelText(tt.record); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
