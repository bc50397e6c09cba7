package istiod

import (
	"errors"
	"net/netip"
	"os"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
)

var errCrash = errors.New("injected")

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustAddrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// crash asks a store what makes it panic.
func (p *proxy) crash(store *actor.PID, q any) {
	p.t.Helper()
	if _, err := kit.Ask(p.t.Context(), p.system, store, q, patience); !errors.Is(err, kit.ErrUndelivered) {
		p.t.Errorf("the store did not crash: %v", err)
	}
}
