package thin_test

import (
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-mesh/troupe/e2e/bench/thin"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// foreign is an address that no machine has.
var foreign = netip.MustParseAddrPort("192.0.2.1:1")

// What it carries is the benchmark's smoke test's business; here, that it doesn't claim to be ready when it isn't.
func TestUnusableAddressIsAnError(t *testing.T) {
	ready := func() { t.Error("said that it is ready") }
	if err := (&thin.Server{}).Serve(foreign, ready); err == nil {
		t.Error("server: no error")
	}
	if err := (&thin.Client{}).Serve(foreign, ready); err == nil {
		t.Error("client: no error")
	}
}
