package messages

import (
	"net/netip"
	"testing"
)

func TestConnectionSource(t *testing.T) {
	c := &Connection{SrcIP: netip.MustParseAddr("fd00::1"), SrcPort: 4711}
	if got := c.Src(); got != netip.MustParseAddrPort("[fd00::1]:4711") {
		t.Errorf("source %v", got)
	}
}
