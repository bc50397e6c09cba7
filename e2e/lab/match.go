package lab

import (
	"net/netip"

	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// match is one condition of a rule. Its last expression is the comparison.
type match []expr.Any

// when starts a rule that holds where all matches hold.
func when(matches ...match) rule {
	var r rule
	for _, m := range matches {
		r = append(r, m...)
	}
	return r
}

// not turns the last comparison of m around; what the comparison presumes (the family of an address) stays.
func not(m match) match {
	last, ok := m[len(m)-1].(*expr.Cmp)
	if !ok {
		panic("a match ends in its comparison")
	}
	turned := *last
	turned.Op = expr.CmpOpNeq
	return append(m[:len(m)-1:len(m)-1], &turned)
}

func equals(data []byte) *expr.Cmp { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }

func tcp() match { return protocol(unix.IPPROTO_TCP) }

func udp() match { return protocol(unix.IPPROTO_UDP) }

func protocol(number byte) match {
	return match{&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, equals([]byte{number})}
}

// outLo holds for packets that leave by lo, in for those that come by a link.
func outLo() match { return link(expr.MetaKeyOIFNAME, "lo") }

func in(name string) match { return link(expr.MetaKeyIIFNAME, name) }

func link(way expr.MetaKey, name string) match {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return match{&expr.Meta{Key: way, Register: 1}, equals(padded)}
}

func source(ip string) match { return address(ip, 12, 8) }

func dest(ip string) match { return address(ip, 16, 24) }

// address compares the address at the family's offset of the network header.
func address(ip string, offset4, offset6 uint32) match {
	a := netip.MustParseAddr(ip)
	family, offset := byte(unix.NFPROTO_IPV4), offset4
	if a.Is6() {
		family, offset = unix.NFPROTO_IPV6, offset6
	}
	raw := a.AsSlice()
	return match{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		equals([]byte{family}),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(len(raw))},
		equals(raw),
	}
}

func sourcePort(port uint16) match { return transportPort(port, 0) }

func destPort(port uint16) match { return transportPort(port, 2) }

func transportPort(port uint16, offset uint32) match {
	return match{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: 2},
		equals(binaryutil.BigEndian.PutUint16(port)),
	}
}

// marked holds for packets with the mark, under the mask.
func marked(mark uint32) match {
	return match{&expr.Meta{Key: expr.MetaKeyMARK, Register: 1}, masked(markMask, 0), equals(native(mark))}
}

// connMarked holds for packets of connections with the mark, under the mask.
func connMarked(mark uint32) match {
	return match{&expr.Ct{Key: expr.CtKeyMARK, Register: 1}, masked(markMask, 0), equals(native(mark))}
}

func masked(mask, xor uint32) *expr.Bitwise {
	return &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: native(mask), Xor: native(xor)}
}

func native(v uint32) []byte { return binaryutil.NativeEndian.PutUint32(v) }

func accept() expr.Any { return &expr.Verdict{Kind: expr.VerdictAccept} }

func redirect(port uint16) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: binaryutil.BigEndian.PutUint16(port)},
		&expr.Redir{RegisterProtoMin: 1, Flags: unix.NF_NAT_RANGE_PROTO_SPECIFIED},
	}
}

// setConnMark puts mark on the connection, keeping the bits outside the mask.
func setConnMark(mark uint32) []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeyMARK, Register: 1},
		masked(^uint32(markMask), mark),
		&expr.Ct{Key: expr.CtKeyMARK, Register: 1, SourceRegister: true},
	}
}

// restoreMark puts the connection's mark on the packet.
func restoreMark() []expr.Any {
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeyMARK, Register: 1},
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1, SourceRegister: true},
	}
}

func zone(id uint16) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: binaryutil.NativeEndian.PutUint16(id)},
		&expr.Ct{Key: expr.CtKeyZONE, Register: 1, SourceRegister: true},
	}
}
