package dnswire

import (
	"encoding/binary"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// Answer is what a mesh answers to a question for addresses, as the authority (spec/control.md §6.5).
type Answer struct {
	// Target, where not empty, is what the question's name is a CNAME of; the addresses are its.
	Target string
	// Addrs are the addresses, all of the family that is asked for, in the order in which they are told.
	Addrs []netip.Addr
	// TTL is how long they hold, in seconds.
	TTL uint32
}

// pointer marks two bytes as a pointer to an earlier name.
const pointer = 0xc000

// AppendAnswer appends the answer to q. Over UDP what does not fit is left out and TC set. It returns how many records it
// has put in.
func AppendAnswer(b []byte, q *Query, a Answer, udp bool) ([]byte, int) {
	base, limit := len(b), MaxMessage
	if udp {
		limit = q.limit()
	}
	b = q.appendHead(b, flagAA|flagRA, dns.RcodeSuccess)
	if q.EDNS {
		limit -= optSize
	}
	w := answerWriter{b: b, base: base, limit: limit, ttl: a.TTL}
	owner := w.ownerOf(q)
	if a.Target != "" && len(a.Addrs) > 0 {
		owner = w.cname(owner, a.Target)
	}
	for _, addr := range a.Addrs {
		if !w.address(&owner, addr) {
			break
		}
	}
	if w.full {
		w.b[base+2] |= flagTC >> 8
	}
	binary.BigEndian.PutUint16(w.b[base+6:], uint16(w.count))
	return q.appendOPT(w.b, base), w.count
}

// AppendError appends an answer that is an error: no records, no OPT (spec/control.md §6.5).
func AppendError(b []byte, q *Query, rcode int) []byte { return q.appendHead(b, 0, rcode) }

// appendHead appends header and question.
func (q *Query) appendHead(b []byte, flags uint16, rcode int) []byte {
	flags |= flagQR | q.flags&(flagRD|flagCD|15<<11) | uint16(rcode&15)
	b = binary.BigEndian.AppendUint16(b, q.ID)
	b = binary.BigEndian.AppendUint16(b, flags)
	questions := byte(0)
	if q.question != nil {
		questions = 1
	}
	b = append(b, 0, questions, 0, 0, 0, 0, 0, 0)
	return append(b, q.question...)
}

// appendOPT answers the client's OPT with one, and counts it.
func (q *Query) appendOPT(b []byte, base int) []byte {
	if !q.EDNS {
		return b
	}
	b = append(b, 0, 0, byte(dns.TypeOPT))
	b = binary.BigEndian.AppendUint16(b, max(q.payload, plainLimit))
	do := byte(0)
	if q.DO {
		do = 0x80
	}
	b = append(b, 0, q.version, do, 0, 0, 0)
	n := binary.BigEndian.Uint16(b[base+10:])
	binary.BigEndian.PutUint16(b[base+10:], n+1)
	return b
}

// answerWriter appends records to a message that begins at base.
type answerWriter struct {
	b           []byte
	base, limit int
	ttl         uint32
	count       int
	full        bool
}

// owner is a name as the next record can write it: a pointer, or the bytes, where it has not been written yet.
type owner struct {
	at   int
	name []byte
}

// ownerOf is the question's name in lower case: the question itself, unless that has upper-case letters.
func (w *answerWriter) ownerOf(q *Query) owner {
	if !q.mixed {
		return owner{at: headerSize}
	}
	return owner{name: appendLower(make([]byte, 0, maxName), q.name())}
}

// begin appends what a record begins with, if all of it fits.
func (w *answerWriter) begin(o *owner, kind uint16, size int) bool {
	need := 2 + 10 + size
	if o.name != nil {
		need += len(o.name) - 2
	}
	if len(w.b)-w.base+need > w.limit {
		w.full = true
		return false
	}
	if o.name != nil {
		o.at = len(w.b) - w.base
		w.b = append(w.b, o.name...)
		o.name = nil
	} else {
		w.b = binary.BigEndian.AppendUint16(w.b, pointer|uint16(o.at))
	}
	w.b = binary.BigEndian.AppendUint16(w.b, kind)
	w.b = binary.BigEndian.AppendUint16(w.b, dns.ClassINET)
	w.b = binary.BigEndian.AppendUint32(w.b, w.ttl)
	w.b = binary.BigEndian.AppendUint16(w.b, uint16(size))
	w.count++
	return true
}

// cname appends the alias and returns the target as owner of what follows.
func (w *answerWriter) cname(from owner, target string) owner {
	name := appendName(make([]byte, 0, maxName), target)
	if w.begin(&from, dns.TypeCNAME, len(name)) {
		w.b = append(w.b, name...)
		return owner{at: len(w.b) - w.base - len(name)}
	}
	return owner{name: name}
}

func (w *answerWriter) address(o *owner, a netip.Addr) bool {
	if a.Is4() {
		if !w.begin(o, dns.TypeA, 4) {
			return false
		}
		four := a.As4()
		w.b = append(w.b, four[:]...)
		return true
	}
	if !w.begin(o, dns.TypeAAAA, 16) {
		return false
	}
	sixteen := a.As16()
	w.b = append(w.b, sixteen[:]...)
	return true
}

// appendName appends a host name in wire form; its labels have no dots of their own.
func appendName(b []byte, host string) []byte {
	for label := range strings.SplitSeq(host, ".") {
		b = append(append(b, byte(len(label))), label...)
	}
	return append(b, 0)
}
