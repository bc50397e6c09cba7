package lab

import (
	"errors"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// addReturnPath delivers locally what carries the return mark: the answers of an application to an address that
// the proxy borrowed (spec/ops.md §4.1). It acts on the namespace of the calling thread.
func addReturnPath() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding lo: %w", err)
	}
	for family, everywhere := range map[int]*net.IPNet{
		unix.AF_INET:  {IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
		unix.AF_INET6: {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
	} {
		route := &netlink.Route{
			Dst: everywhere, LinkIndex: lo.Attrs().Index, Table: returnTable,
			Type: unix.RTN_LOCAL, Scope: unix.RT_SCOPE_HOST,
		}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("adding the local route of table %d: %w", returnTable, err)
		}
		mask := uint32(markMask)
		rule := netlink.NewRule()
		rule.Family, rule.Priority, rule.Table = family, returnPref, returnTable
		rule.Mark, rule.Mask = returnMark, &mask
		if err := netlink.RuleAdd(rule); err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("adding the rule for mark %#x: %w", returnMark, err)
		}
	}
	return nil
}
