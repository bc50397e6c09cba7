package dnswire

import (
	"encoding/binary"
	"strings"

	"github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/messages"
)

// The sizes of the wire format.
const (
	headerSize = 12
	// maxName is how many bytes a name takes at most, the final zero included.
	maxName = 255
	// optSize is an OPT record without options.
	optSize = 11
	// plainLimit is what a UDP answer may take where the client says nothing (RFC 1035 §4.2.1).
	plainLimit = 512
	// MaxMessage is the longest message there is.
	MaxMessage = 65535
	// maxDatagram is the longest message that fits a datagram.
	maxDatagram = 65507
)

// The bits of the flags.
const (
	flagQR = 1 << 15
	flagAA = 1 << 10
	flagTC = 1 << 9
	flagRD = 1 << 8
	flagRA = 1 << 7
	flagCD = 1 << 4
)

// Verdict is what must be done with a message that came in (spec/control.md §6.3).
type Verdict uint8

// The verdicts.
const (
	VerdictAnswer   Verdict = iota // it is one question
	VerdictIgnore                  // too short, or no question but an answer
	VerdictFormErr                 // can't be read
	VerdictNotImp                  // another operation than QUERY
	VerdictServFail                // not exactly one question
)

// Rcode is the response code that goes with a verdict.
func (v Verdict) Rcode() int {
	switch v {
	case VerdictFormErr:
		return dns.RcodeFormatError
	case VerdictNotImp:
		return dns.RcodeNotImplemented
	case VerdictServFail:
		return dns.RcodeServerFailure
	case VerdictAnswer, VerdictIgnore:
	}
	return dns.RcodeSuccess
}

// Query is a question as it came in. It refers to the packet that it was read from.
type Query struct {
	ID    uint16
	flags uint16
	// Type and Class are the question's.
	Type, Class uint16
	// question is the question section, byte for byte; nil where there is not exactly one question.
	question []byte
	// mixed says that its name has upper-case letters, plain that it has only what host names have.
	mixed, plain bool
	// EDNS says that there was an OPT record; DO, payload and version are what it said.
	EDNS, DO bool
	payload  uint16
	version  uint8
}

// Key is what answers are kept under.
type Key struct {
	// name is the wire form of the name in lower case.
	name        string
	Type, Class uint16
	DO, CD      bool
}

// Key is the key of the question.
func (q *Query) Key() Key {
	var room [maxName]byte
	return Key{
		name: string(appendLower(room[:0], q.name())), Type: q.Type, Class: q.Class, DO: q.DO, CD: q.flags&flagCD != 0,
	}
}

// Domain is the key's name as text, in lower case, with its final dot.
func (k Key) Domain() string { return text([]byte(k.name)) }

// QuestionKey is the key of a question that no query asked; ok is false when host is no domain name.
func QuestionKey(host string, kind uint16) (k Key, ok bool) {
	var room [maxName]byte
	n, err := dns.PackDomainName(dns.Fqdn(strings.ToLower(host)), room[:], 0, nil, false)
	if err != nil {
		return Key{}, false
	}
	return Key{name: string(room[:n]), Type: kind, Class: dns.ClassINET}, true
}

// name is the wire form of the question's name.
func (q *Query) name() []byte { return q.question[:len(q.question)-4] }

// Domain is the question's name as text, in lower case, with its final dot.
func (q *Query) Domain() string {
	if q.question == nil {
		return ""
	}
	var room [maxName]byte
	return text(appendLower(room[:0], q.name()))
}

func text(wire []byte) string {
	name, _, err := dns.UnpackDomainName(wire, 0)
	if err != nil {
		return ""
	}
	return name
}

// TypeName is the name of the question's type in lower case, "unknown" where there is no question.
func (q *Query) TypeName() string {
	switch {
	case q.question == nil:
		return "unknown"
	case q.Type == dns.TypeA:
		return "a"
	case q.Type == dns.TypeAAAA:
		return "aaaa"
	}
	if name, ok := dns.TypeToString[q.Type]; ok {
		return strings.ToLower(name)
	}
	return "unknown"
}

// IsAddress reports whether addresses of the internet are asked for: what a mesh can answer.
func (q *Query) IsAddress() bool {
	return (q.Type == dns.TypeA || q.Type == dns.TypeAAAA) && q.Class == dns.ClassINET
}

// WantsIPv6 reports whether IPv6 addresses are asked for.
func (q *Query) WantsIPv6() bool { return q.Type == dns.TypeAAAA }

// ParseQuery reads a packet into q and says what must be done with it. What can't be read is not repeated in the answer.
func ParseQuery(packet []byte, q *Query) Verdict {
	v := q.parse(packet)
	if v != VerdictAnswer {
		q.question, q.EDNS, q.plain = nil, false, false
	}
	return v
}

func (q *Query) parse(packet []byte) Verdict {
	*q = Query{}
	if len(packet) < headerSize {
		return VerdictIgnore
	}
	q.ID = binary.BigEndian.Uint16(packet)
	q.flags = binary.BigEndian.Uint16(packet[2:])
	if q.flags&flagQR != 0 {
		return VerdictIgnore
	}
	if q.flags>>11&15 != dns.OpcodeQuery {
		return VerdictNotImp
	}
	count := func(section int) int { return int(binary.BigEndian.Uint16(packet[4+2*section:])) }
	at := headerSize
	for i := range count(0) {
		end, ok := skipName(packet, at)
		if !ok || len(packet) < end+4 {
			return VerdictFormErr
		}
		if i == 0 {
			q.Type = binary.BigEndian.Uint16(packet[end:])
			q.Class = binary.BigEndian.Uint16(packet[end+2:])
			q.question = packet[at : end+4]
		}
		at = end + 4
	}
	if !q.readRecords(packet, at, count(1)+count(2), count(3)) {
		return VerdictFormErr
	}
	if count(0) != 1 {
		return VerdictServFail
	}
	if !q.readName() {
		return VerdictFormErr
	}
	return VerdictAnswer
}

// readRecords goes through the records of a query, of which only OPT matters.
func (q *Query) readRecords(packet []byte, at, others, additional int) bool {
	for i := range others + additional {
		r, ok := readRecord(packet, at)
		if !ok {
			return false
		}
		if i >= others && r.kind == dns.TypeOPT {
			if q.EDNS {
				return false // RFC 6891 §6.1.1: more than one
			}
			ttl := binary.BigEndian.Uint32(packet[r.ttl:])
			q.EDNS, q.payload = true, binary.BigEndian.Uint16(packet[r.ttl-2:])
			q.version, q.DO = uint8(ttl>>16), ttl&(1<<15) != 0
		}
		at = r.end
	}
	return true
}

// readName looks at the labels of the question's name. It is false where the name points elsewhere: there is nothing that
// a question could point to.
func (q *Query) readName() bool {
	name := q.name()
	q.plain = true
	for at := 0; name[at] != 0; {
		size := int(name[at])
		if size >= 0xc0 {
			return false
		}
		for _, c := range name[at+1 : at+1+size] {
			q.mixed = q.mixed || isUpper(c)
			q.plain = q.plain && (c >= 0x80 || isLetter(c|0x20) || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '*')
		}
		at += 1 + size
	}
	return true
}

// Host is the question's name in the form of messages.CanonicalHost; empty when it is no host name, because it is the root
// or has labels with dots, controls or escapes.
func (q *Query) Host() string {
	if !q.plain {
		return ""
	}
	var room [maxName]byte
	host := room[:0]
	for name := q.name(); name[0] != 0; {
		if len(host) > 0 {
			host = append(host, '.')
		}
		end := 1 + int(name[0])
		host = appendLower(host, name[1:end])
		name = name[end:]
	}
	return messages.CanonicalHost(string(host))
}

// AppendKey appends what the question has in common with those that have the same answer, whoever asks and however.
func (q *Query) AppendKey(b []byte) []byte {
	b = appendLower(b, q.name())
	b = append(b, q.question[len(q.question)-4:]...)
	bits := byte(0)
	if q.DO {
		bits |= 1
	}
	if q.flags&flagCD != 0 {
		bits |= 2
	}
	return append(b, bits)
}

func isUpper(c byte) bool  { return 'A' <= c && c <= 'Z' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' }

func lower(c byte) byte {
	if isUpper(c) {
		return c + 'a' - 'A'
	}
	return c
}

// appendLower appends a name in wire form in lower case. The lengths of labels are below 64: no letters.
func appendLower(b, name []byte) []byte {
	for _, c := range name {
		b = append(b, lower(c))
	}
	return b
}

// limit is how long a UDP answer may be.
func (q *Query) limit() int {
	if !q.EDNS {
		return plainLimit
	}
	return min(max(int(q.payload), plainLimit), maxDatagram)
}
