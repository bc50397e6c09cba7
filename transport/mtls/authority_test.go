package mtls

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

func newTestAuthority(t testing.TB, o AuthorityOptions) *Authority {
	t.Helper()
	a, err := NewAuthority(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issued(t testing.TB, a *Authority, id messages.Identity) *Certificate {
	t.Helper()
	csr, key, err := NewCSR(id)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := a.Issue(csr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseChain(id, key, chain)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIssuedCertificate(t *testing.T) {
	now := time.Date(2030, time.May, 1, 12, 0, 0, 0, time.UTC)
	a := newTestAuthority(t, AuthorityOptions{Now: func() time.Time { return now }})
	c := issued(t, a, alice)
	leaf := c.Leaf()
	if got := leaf.Subject.Organization; len(got) != 1 || got[0] != "cluster.local" {
		t.Errorf("organization %q", got)
	}
	if leaf.KeyUsage != x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment {
		t.Errorf("key usage %b", leaf.KeyUsage)
	}
	if u := leaf.ExtKeyUsage; len(u) != 2 || u[0] != x509.ExtKeyUsageServerAuth || u[1] != x509.ExtKeyUsageClientAuth {
		t.Errorf("extended key usage %v", u)
	}
	if ids := Identities(leaf); len(ids) != 1 || ids[0] != alice || leaf.IsCA {
		t.Errorf("ids %v, CA %v", ids, leaf.IsCA)
	}
	if n := leaf.SerialNumber; n.Sign() <= 0 || n.BitLen() > 159 {
		t.Errorf("serial number of %d bits", n.BitLen())
	}
	if want := now.Add(24 * time.Hour); !c.NotAfter.Equal(want) || !c.NotBefore.Equal(now.Add(-2*time.Minute)) {
		t.Errorf("valid from %v to %v: want %v to %v", c.NotBefore, c.NotAfter, now.Add(-2*time.Minute), want)
	}
	if len(c.Skipped) > 0 || len(c.Roots()) != 1 || string(c.Roots()[0].PEM) != a.RootPEM() {
		t.Errorf("roots %v, skipped %v", c.Roots(), c.Skipped)
	}
	if other := issued(t, a, alice); other.SerialNumber() == c.SerialNumber() {
		t.Error("the same serial number twice")
	}
}

func TestLifetime(t *testing.T) {
	now := time.Date(2030, time.May, 1, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	for _, tt := range []struct {
		asked, want time.Duration
		ok          bool
	}{
		{0, DefaultLifetime, true},
		{time.Second, time.Second, true},
		{time.Hour, time.Hour, true},
		{time.Millisecond, 0, false},
		{-time.Hour, 0, false},
		{100 * 365 * 24 * time.Hour, 0, false},
	} {
		a, err := NewAuthority(AuthorityOptions{Lifetime: tt.asked, Now: clock})
		if (err == nil) != tt.ok {
			t.Errorf("%v: %v", tt.asked, err)
			continue
		}
		if err == nil {
			if got := issued(t, a, alice); !got.NotAfter.Equal(now.Add(tt.want)) || got.RefreshAfter(now) == 0 && tt.want > 2*time.Second {
				t.Errorf("%v: lives until %v, refresh after %v", tt.asked, got.NotAfter, got.RefreshAfter(now))
			}
		}
	}
}

func TestIssueRefuses(t *testing.T) {
	a := newTestAuthority(t, AuthorityOptions{})
	request := func(edit func(*x509.CertificateRequest)) []byte { return requestPEM(t, edit) }
	good, _, err := NewCSR(alice)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		csr  []byte
		want string
	}{
		{"nothing", nil, "want a PEM block CERTIFICATE REQUEST"},
		{"a certificate", []byte(a.RootPEM()), "want a PEM block CERTIFICATE REQUEST"},
		{"broken", []byte("-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n"), "asn1"},
		{"bad signature", spoilSignature(t, good), "verification failure"},
		{"no name", request(func(*x509.CertificateRequest) {}), "names no SPIFFE id"},
		{"two names", request(withURIs(alice.String(), bob.String())), "names 2 URIs: want one SPIFFE id"},
		{"no SPIFFE name", request(withURIs("https://alice")), "want prefix"},
		{"a host name too", request(func(r *x509.CertificateRequest) { r.DNSNames = []string{"alice"} }), "names something else than a SPIFFE id"},
	} {
		chain, err := a.Issue(tt.csr)
		if err == nil || !strings.Contains(err.Error(), tt.want) || chain != nil {
			t.Errorf("%s: %v: want %q", tt.name, err, tt.want)
		}
	}
}
