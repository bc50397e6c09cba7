// Package proxyproto writes the PROXY protocol's version 2 header as an application tunnel of kind PROXY wants it
// (spec/dataplane.md §4.10). On the wire:
//
//	signature[12] 21 family length[2] addresses TLVs
//
// family is 11 for TCP over IPv4 (12 bytes of addresses), 21 for TCP over IPv6 (36 bytes) and 01 where the two ends are
// of different families: then there are no addresses. One TLV of type D0 carries the peer's SPIFFE id, where it has one.
// The package writes to nothing: callers put the header before the connection's first byte.
package proxyproto

import (
	"encoding/binary"
	"net/netip"
)

// TypeIdentity is the TLV that carries the peer's SPIFFE id.
const TypeIdentity = 0xD0

const (
	signature      = "\r\n\r\n\x00\r\nQUIT\n"
	versionCommand = 0x21 // version 2, PROXY
	familyTCP4     = 0x11
	familyTCP6     = 0x21
	familyOther    = 0x01 // unspecified, stream
	longestTLV     = 1<<16 - 1 - 36 - 3
)

// Header is the header for a connection from src to dst, whose peer proved identity; an empty identity adds no TLV, nor
// does one that is longer than a TLV can be.
func Header(src, dst netip.AddrPort, identity string) []byte {
	var addresses []byte
	family := byte(familyOther)
	if src.Addr().Is4() == dst.Addr().Is4() {
		family = familyTCP6
		if src.Addr().Is4() {
			family = familyTCP4
		}
		addresses = append(append(addresses, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
		addresses = binary.BigEndian.AppendUint16(addresses, src.Port())
		addresses = binary.BigEndian.AppendUint16(addresses, dst.Port())
	}
	var tlv []byte
	if identity != "" && len(identity) <= longestTLV {
		tlv = binary.BigEndian.AppendUint16([]byte{TypeIdentity}, uint16(len(identity)))
		tlv = append(tlv, identity...)
	}
	h := append([]byte(signature), versionCommand, family)
	h = binary.BigEndian.AppendUint16(h, uint16(len(addresses)+len(tlv)))
	return append(append(h, addresses...), tlv...)
}
