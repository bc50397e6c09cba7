package trace

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/relay"
)

// run plays a whole connection and returns its lines.
func run(t *testing.T, r *messages.Record, received, sent int, took time.Duration) []string {
	t.Helper()
	n := newNode(t, nodeOptions{off: true})
	n.Start(r)
	s := n.Opened(r)
	var c relay.Counters
	c.AddReceived(received)
	c.AddSent(sent)
	n.SetupEnded(r)
	pass(took)
	n.Closed(r, s, &c)
	return n.logged(t)
}

func TestAccessLog(t *testing.T) {
	inbound := inboundRecord()
	failed := &messages.Record{
		Src: netip.MustParseAddrPort("10.0.2.2:43390"), Dst: payAddr, Source: cart,
		Failure: messages.Fail(messages.ReasonConnectionRefused, "io error: Connection refused (os error 111)"),
	}
	gateway := outboundRecord()
	gateway.HBONEAddr = messages.HostPort{Host: "pay.shop.svc.cluster.local", Port: 8080}
	gateway.DerivedDestination = &messages.DerivedWorkload{CanonicalName: "far", Namespace: "away", Cluster: "other"}
	claimed := inboundRecord()
	claimed.Source = nil
	tests := []struct {
		name     string
		record   *messages.Record
		opened   string
		complete string
	}{
		{
			"outbound speaks from the client's point of view", outboundRecord(),
			"debug\taccess\tconnection opened\tsrc.addr=10.0.2.2:43370 src.workload=\"cart-1\" src.namespace=\"shop\" src.identity=\"spiffe://cluster.local/ns/shop/sa/cart\" src.cluster=\"Kubernetes\" dst.addr=10.0.3.9:15008 dst.hbone_addr=10.0.3.9:8080 dst.service=\"pay.shop.svc.cluster.local\" dst.workload=\"pay-7\" dst.namespace=\"shop\" dst.identity=\"spiffe://cluster.local/ns/shop/sa/pay\" dst.cluster=\"Kubernetes\" direction=\"outbound\"",
			"info\taccess\tconnection complete\tsrc.addr=10.0.2.2:43370 src.workload=\"cart-1\" src.namespace=\"shop\" src.identity=\"spiffe://cluster.local/ns/shop/sa/cart\" src.cluster=\"Kubernetes\" dst.addr=10.0.3.9:15008 dst.hbone_addr=10.0.3.9:8080 dst.service=\"pay.shop.svc.cluster.local\" dst.workload=\"pay-7\" dst.namespace=\"shop\" dst.identity=\"spiffe://cluster.local/ns/shop/sa/pay\" dst.cluster=\"Kubernetes\" direction=\"outbound\" bytes_sent=84 bytes_recv=358 duration=\"15ms\"",
		},
		{
			"inbound speaks from the server's", inbound,
			"debug\taccess\tconnection opened\tsrc.addr=10.0.2.2:51000 src.workload=\"cart-1\" src.namespace=\"shop\" src.identity=\"spiffe://cluster.local/ns/shop/sa/cart\" src.cluster=\"Kubernetes\" dst.addr=10.0.3.9:15008 dst.hbone_addr=10.0.3.9:8080 dst.service=\"pay.shop.svc.cluster.local\" dst.workload=\"pay-7\" dst.namespace=\"shop\" dst.identity=\"spiffe://cluster.local/ns/shop/sa/pay\" dst.cluster=\"Kubernetes\" direction=\"inbound\"",
			"info\taccess\tconnection complete\tsrc.addr=10.0.2.2:51000 src.workload=\"cart-1\" src.namespace=\"shop\" src.identity=\"spiffe://cluster.local/ns/shop/sa/cart\" src.cluster=\"Kubernetes\" dst.addr=10.0.3.9:15008 dst.hbone_addr=10.0.3.9:8080 dst.service=\"pay.shop.svc.cluster.local\" dst.workload=\"pay-7\" dst.namespace=\"shop\" dst.identity=\"spiffe://cluster.local/ns/shop/sa/pay\" dst.cluster=\"Kubernetes\" direction=\"inbound\" bytes_sent=358 bytes_recv=84 duration=\"15ms\"",
		},
		{
			"a failure is an error, and unknown fields are left out", failed,
			"debug\taccess\tconnection opened\tsrc.addr=10.0.2.2:43390 src.workload=\"cart-1\" src.namespace=\"shop\" src.cluster=\"Kubernetes\" dst.addr=10.0.3.9:8080 direction=\"outbound\"",
			"error\taccess\tconnection complete\tsrc.addr=10.0.2.2:43390 src.workload=\"cart-1\" src.namespace=\"shop\" src.cluster=\"Kubernetes\" dst.addr=10.0.3.9:8080 direction=\"outbound\" bytes_sent=84 bytes_recv=358 duration=\"15ms\" error=\"io error: Connection refused (os error 111)\" reason=\"connection_refused\"",
		},
		{
			"behind a gateway the workload is the baggage's, or none", gateway,
			"debug\taccess\tconnection opened\tsrc.addr=10.0.2.2:43370 src.workload=\"cart-1\" src.namespace=\"shop\" src.identity=\"spiffe://cluster.local/ns/shop/sa/cart\" src.cluster=\"Kubernetes\" dst.addr=10.0.3.9:15008 dst.hbone_addr=pay.shop.svc.cluster.local:8080 dst.service=\"pay.shop.svc.cluster.local\" dst.namespace=\"away\" dst.cluster=\"other\" direction=\"outbound\"",
			"info\taccess\tconnection complete\tsrc.addr=10.0.2.2:43370 src.workload=\"cart-1\" src.namespace=\"shop\" src.identity=\"spiffe://cluster.local/ns/shop/sa/cart\" src.cluster=\"Kubernetes\" dst.addr=10.0.3.9:15008 dst.hbone_addr=pay.shop.svc.cluster.local:8080 dst.service=\"pay.shop.svc.cluster.local\" dst.namespace=\"away\" dst.cluster=\"other\" direction=\"outbound\" bytes_sent=84 bytes_recv=358 duration=\"15ms\"",
		},
		{
			"an unknown source is named by its canonical service", claimed,
			"debug\taccess\tconnection opened\tsrc.addr=10.0.2.2:51000 src.workload=\"cart\" src.namespace=\"shop\" src.identity=\"spiffe://cluster.local/ns/shop/sa/cart\" src.cluster=\"Kubernetes\" dst.addr=10.0.3.9:15008 dst.hbone_addr=10.0.3.9:8080 dst.service=\"pay.shop.svc.cluster.local\" dst.workload=\"pay-7\" dst.namespace=\"shop\" dst.identity=\"spiffe://cluster.local/ns/shop/sa/pay\" dst.cluster=\"Kubernetes\" direction=\"inbound\"",
			"info\taccess\tconnection complete\tsrc.addr=10.0.2.2:51000 src.workload=\"cart\" src.namespace=\"shop\" src.identity=\"spiffe://cluster.local/ns/shop/sa/cart\" src.cluster=\"Kubernetes\" dst.addr=10.0.3.9:15008 dst.hbone_addr=10.0.3.9:8080 dst.service=\"pay.shop.svc.cluster.local\" dst.workload=\"pay-7\" dst.namespace=\"shop\" dst.identity=\"spiffe://cluster.local/ns/shop/sa/pay\" dst.cluster=\"Kubernetes\" direction=\"inbound\" bytes_sent=358 bytes_recv=84 duration=\"15ms\"",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := run(t, tt.record, 84, 358, 15*time.Millisecond)
				if want := []string{tt.opened, tt.complete}; !slices.Equal(got, want) {
					t.Errorf("got\n%q\nwant\n%q", got, want)
				}
			})
		})
	}
}

func TestEarlyDenialIsAWarning(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	r := &messages.Record{
		Src: netip.MustParseAddrPort("10.0.2.2:43400"), Dst: netip.MustParseAddrPort("127.0.0.1:15001"), Source: cart,
		Failure: messages.Fail(messages.ReasonLoopRejected, "attempted recursive call to ourselves"),
	}
	n.Start(r)
	n.EarlyDenied(r)
	want := []string{"warn\taccess\tconnection failed\tsrc.addr=10.0.2.2:43400 dst.addr=127.0.0.1:15001 direction=\"outbound\" error=\"attempted recursive call to ourselves\" reason=\"loop_rejected\""}
	if got := n.logged(t); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
