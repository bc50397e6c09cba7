package certificates

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/admin"
	"github.com/troupe-mesh/troupe/e2e/istiod"
	"github.com/troupe-mesh/troupe/e2e/product"
)

// TestSignedByTheCA is the plain way: two proxies, whose CA has an intermediate, know each other by what it issued.
func TestSignedByTheCA(t *testing.T) {
	w := newWorld(t, "1h")
	root := w.ca.Signer()
	lower, err := istiod.NewIssuer("lower", root)
	if err != nil {
		t.Fatal(err)
	}
	w.ca.SignBy(lower)
	w.mustCall()
	w.says(w.client, "connection complete", identityOf("client").String(), identityOf("server").String())
	calls := w.ca.Calls()
	if len(calls) != 2 {
		t.Fatalf("%d calls of the CA: want one for each proxy", len(calls))
	}
	for _, c := range calls {
		if c.Impersonated || c.Request.ValidityDuration != 3600 {
			t.Errorf("asked for %v, impersonated %v, %d s", c.For, c.Impersonated, c.Request.ValidityDuration)
		}
	}
	var dump struct {
		Certificates []struct {
			Identity, State      string
			CertChain, RootCerts []struct{ SerialNumber, ValidFrom, ExpirationTime string }
		}
	}
	text, _ := w.get(w.client, 15000, "/config_dump")
	if err := json.Unmarshal([]byte(text), &dump); err != nil {
		t.Fatal(err)
	}
	if len(dump.Certificates) != 1 {
		t.Fatalf("the dump has %+v", dump.Certificates)
	}
	if left := w.metrics(w.client).Sum("troupe_certificate_expiry_seconds", nil); left < 3000 || left > 3600 {
		t.Errorf("the certificate expires in %v s", left)
	}
	left := w.metrics(w.client).Sum("troupe_identity_certificate_expiry_seconds", product.Labels{"identity": identityOf("client").String()})
	if left < 3000 || left > 3600 {
		t.Errorf("the identity's certificate expires in %v s", left)
	}
	c := dump.Certificates[0]
	if c.Identity != identityOf("client").String() || c.State != "Available" || len(c.CertChain) != 2 || len(c.RootCerts) != 1 {
		t.Errorf("the dump has %+v", c)
	}
}

// TestRootsRotateUnderTraffic: the roots of the workloads change from one to both to the other, and no call fails; what is
// open stays open (DP75).
func TestRootsRotateUnderTraffic(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for certificates of seconds")
	}
	w := newWorld(t, "5s")
	w.mustCall()
	lasting, err := w.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lasting.Close() }()
	from := w.ca.Signer()
	to, err := istiod.NewIssuer("next root", nil)
	if err != nil {
		t.Fatal(err)
	}
	renewed := func() { // both proxies have certificates that were asked for after now
		t.Helper()
		began := time.Now()
		w.eventually("renewal", func() bool {
			if err := w.call(); err != nil {
				t.Fatalf("during the rotation: %v", err)
			}
			return w.has(w.client, "client", began) && w.has(w.server, "server", began)
		})
	}
	for _, step := range []func(){
		func() { w.ca.Trust(from, to) },
		func() { w.ca.SignBy(to) },
		func() { w.ca.Trust(to) },
	} {
		step()
		renewed()
	}
	w.mustCall()
	if err := exchange(lasting); err != nil {
		t.Errorf("the connection that was open: %v", err)
	}
	if got := w.metrics(w.client).Sum("troupe_certificate_fetches_total", product.Labels{"result": "failed"}); got != 0 {
		t.Errorf("%v fetches failed", got)
	}
}

// has reports whether a proxy has a certificate that it asked for after began.
func (w *world) has(n *node, name string, began time.Time) bool {
	all, fresh := 0, false
	for _, c := range w.ca.Calls() {
		if c.For == identityOf(name) {
			all++
			fresh = fresh || c.At.After(began)
		}
	}
	return fresh && int(w.metrics(n).Sum("troupe_certificate_fetches_total", product.Labels{"result": "issued"})) == all
}

// TestTheCAsOwnRootRotates on disk while the proxies run: the next certificate is asked for by the new one.
func TestTheCAsOwnRootRotates(t *testing.T) {
	w := newWorld(t, "5s")
	w.mustCall()
	next, err := istiod.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.istiod.Present(next); err != nil {
		t.Fatal(err)
	}
	w.istiod.Cut()
	w.says(w.client, "certificate renewal failed", "signed by unknown authority")
	w.mustCall() // by the certificate that there is
	put(t, w.roots, next.PEM())
	before := len(w.ca.Calls())
	w.eventually("certificates by the new root", func() bool { return len(w.ca.Calls()) > before+1 })
	w.mustCall()
}

// TestTheCAGoesAwayAndComesBack: certificates serve until they expire, then connections fail and say why, and heal by
// themselves.
func TestTheCAGoesAwayAndComesBack(t *testing.T) {
	w := newWorld(t, "4s")
	w.mustCall()
	w.istiod.Stop()
	w.says(w.client, "certificate renewal failed", "signing gRPC error (Unavailable)")
	w.mustCall()
	w.says(w.client, "certificate renewal keeps failing; the existing certificate nears its end", "expires_in=")
	w.says(w.client, "certificate fetch failed and there is no valid certificate")
	if err := w.call(); err == nil {
		t.Error("a call went through without a certificate")
	}
	w.says(w.client, "identity error: signing gRPC error (Unavailable)")
	body, header := w.get(w.client, 15021, "/healthz/ready")
	if warning := header.Get(admin.HeaderWarning); body != "ready\n" || !strings.HasPrefix(warning, "1 identities have no valid certificate") {
		t.Errorf("the readiness page says %q and warns %q", body, warning)
	}
	if got := w.metrics(w.client).Sum("troupe_certificates", product.Labels{"state": "unavailable"}); got != 1 {
		t.Errorf("%v identities are unavailable: want 1", got)
	}
	if err := w.istiod.Restart(); err != nil {
		t.Fatal(err)
	}
	w.eventually("calls go through again", func() bool { return w.call() == nil })
	if _, header := w.get(w.client, 15021, "/healthz/ready"); header.Get(admin.HeaderWarning) != "" {
		t.Errorf("the readiness page warns still: %q", header)
	}
}
