package dnswire

import "encoding/binary"

// skipName returns where the name at an offset ends. Pointers are not followed: they end it.
func skipName(packet []byte, at int) (end int, ok bool) {
	for start := at; at < len(packet); {
		switch size := int(packet[at]); {
		case size == 0:
			return at + 1, at+1-start <= maxName
		case size >= 0xc0:
			return at + 2, at+2 <= len(packet) && at+2-start <= maxName
		case size >= 0x40:
			return 0, false
		default:
			at += 1 + size
		}
	}
	return 0, false
}

// record says where the parts of a record are.
type record struct {
	start, ttl, end int
	kind            uint16
}

// readRecord finds the parts of the record at an offset.
func readRecord(packet []byte, at int) (r record, ok bool) {
	name, ok := skipName(packet, at)
	if !ok || len(packet) < name+10 {
		return record{}, false
	}
	r = record{start: at, ttl: name + 4, kind: binary.BigEndian.Uint16(packet[name:])}
	r.end = name + 10 + int(binary.BigEndian.Uint16(packet[name+8:]))
	return r, r.end <= len(packet)
}
