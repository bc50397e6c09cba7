package proxy

import (
	"slices"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

func TestWarningsOfCertificates(t *testing.T) {
	cart := messages.Identity{TrustDomain: "cluster.local", Namespace: "shop", ServiceAccount: "cart"}
	in := func(d time.Duration) []messages.CertificateExpiry {
		return []messages.CertificateExpiry{{Identity: cart, In: d}}
	}
	const none = "2 identities have no valid certificate, their connections fail: config_dump says why"
	for name, test := range map[string]struct {
		measured messages.CertificatesMeasured
		want     []string
	}{
		"all is well": {messages.CertificatesMeasured{Held: 3, Expiries: in(time.Hour)}, nil},
		"overdue": {
			messages.CertificatesMeasured{Overdue: 4, Expiries: in(8*time.Hour - time.Millisecond)},
			[]string{"4 certificates near their end and are not renewed, the first is that of spiffe://cluster.local/ns/shop/sa/cart and " +
				"expires in 8h0m0s: is the CA well?"},
		},
		"unavailable": {messages.CertificatesMeasured{Unavailable: 2}, []string{none}},
		"both, and expired": {
			messages.CertificatesMeasured{Overdue: 1, Unavailable: 2, Expiries: in(-time.Second)},
			[]string{"1 certificates near their end and are not renewed, the first is that of spiffe://cluster.local/ns/shop/sa/cart and " +
				"expires in 0s: is the CA well?", none},
		},
	} {
		if got := warningsOf(&test.measured); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}
