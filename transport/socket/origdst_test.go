package socket

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// redirect makes the namespace send TCP to port 80 to another port of the same host.
func redirect(t *testing.T, fd int, family nftables.TableFamily, to uint16) {
	t.Helper()
	c, err := nftables.New(nftables.WithNetNSFd(fd))
	if err != nil {
		t.Fatal(err)
	}
	table := c.AddTable(&nftables.Table{Family: family, Name: "redirect"})
	chain := c.AddChain(&nftables.Chain{
		Name: "output", Table: table, Type: nftables.ChainTypeNAT,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityNATDest,
	})
	c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_TCP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binary.BigEndian.AppendUint16(nil, 80)},
		&expr.Immediate{Register: 1, Data: binary.BigEndian.AppendUint16(nil, to)},
		&expr.Redir{RegisterProtoMin: 1, RegisterProtoMax: 1, Flags: unix.NF_NAT_RANGE_PROTO_SPECIFIED},
	}})
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestOriginalDst(t *testing.T) {
	fd := loopbackWorld(t)
	const captured = 15001
	redirect(t, fd, nftables.TableFamilyIPv4, captured)
	redirect(t, fd, nftables.TableFamilyIPv6, captured)
	tests := []struct {
		name, dial, want string
		redirected       bool
	}{
		{"IPv4 on a dual-stack socket", "192.0.2.1:80", "192.0.2.1:80", true},
		{"IPv6", "[2001:db8::1]:80", "[2001:db8::1]:80", true},
		{"to the port itself", "192.0.2.1:15001", "192.0.2.1:15001", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inside(t, fd, func() {
				n := New(Config{})
				l, err := n.Listen(t.Context(), netip.AddrPortFrom(netip.IPv6Unspecified(), captured), ListenOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = l.Close() }()
				c, err := n.Dial(t.Context(), netip.MustParseAddrPort(tt.dial), DialOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = c.Close() }()
				a, err := l.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = a.Conn.Close() }()
				if dst, ok := a.OriginalDst(); dst.String() != tt.want || ok != tt.redirected {
					t.Errorf("the original destination is %s, %v", dst, ok)
				}
			})
		})
	}
}

func TestOriginalDstWithoutRedirection(t *testing.T) {
	fd := loopbackWorld(t) // no rules, so no connection tracking either
	inside(t, fd, func() {
		n := New(Config{})
		l, err := n.Listen(t.Context(), netip.MustParseAddrPort("[::1]:0"), ListenOptions{})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = l.Close() }()
		c, err := n.Dial(t.Context(), l.Addr(), DialOptions{})
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = c.Close() }()
		a, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = a.Conn.Close() }()
		if dst, ok := a.OriginalDst(); dst != l.Addr() || ok {
			t.Errorf("the original destination is %s, %v, want the local address", dst, ok)
		}
	})
}
