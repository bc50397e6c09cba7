package socket

import (
	"os"
	"strings"
)

// LoopbackProbe is a Network that knows whether there is an IPv6 loopback. The kernel's do, of whichever namespace.
type LoopbackProbe interface {
	// HasIPv6Loopback is false where the namespace has IPv6 switched off on its loopback link. Where that can't be read it
	// is true: binding will tell.
	HasIPv6Loopback() bool
}

var (
	_ LoopbackProbe = (*kernel)(nil)
	_ LoopbackProbe = (*elsewhere)(nil)
)

// loopbackIPv6Off is 1 where it is off, in the namespace of whoever reads it.
const loopbackIPv6Off = "/proc/sys/net/ipv6/conf/lo/disable_ipv6"

// HasIPv6Loopback implements LoopbackProbe.
func (*kernel) HasIPv6Loopback() bool {
	content, err := os.ReadFile(loopbackIPv6Off)
	return err != nil || strings.TrimSpace(string(content)) != "1"
}

// HasIPv6Loopback implements LoopbackProbe.
func (e *elsewhere) HasIPv6Loopback() bool {
	has := true
	_ = e.ns.Do(func() error {
		has = e.kernel.HasIPv6Loopback()
		return nil
	})
	return has
}
