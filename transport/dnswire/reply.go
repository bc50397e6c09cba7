package dnswire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// What bounds how long replies hold.
const (
	// longestTTL bounds an answer, longestAbsence the news that there is none.
	longestTTL     = 24 * time.Hour
	longestAbsence = time.Hour
)

// Reply is what an upstream server said, checked, in wire form. It is frozen: any number of questions may be answered
// from it at the same time.
type Reply struct {
	// Rcode is the response code; Answers counts the records of the answer.
	Rcode, Answers int
	// TTL is how long the reply holds; zero is not to be kept.
	TTL time.Duration
	// Server is who said it; not valid for what the proxy knows by itself.
	Server netip.AddrPort

	wire     []byte // a whole message; its question is the key's, in lower case
	records  []record
	question int
	addrs    []netip.Addr
}

// Negative reports whether there is no answer.
func (r *Reply) Negative() bool { return r.Rcode != dns.RcodeSuccess || r.Answers == 0 }

// Addrs are the addresses in the answer.
func (r *Reply) Addrs() []netip.Addr { return r.addrs }

// Size is how many bytes the reply takes.
func (r *Reply) Size() int { return len(r.wire) + 40*len(r.records) + 24*len(r.addrs) + 200 }

// newReply puts a checked message into the form that questions are answered from. Of an answer the authority section is
// dropped, as the reference does; of the news that there is none it is kept: the SOA tells how long that holds.
func newReply(k Key, m *dns.Msg, server netip.AddrPort) (*Reply, error) {
	out := &dns.Msg{Compress: true}
	out.Rcode = m.Rcode & 15
	out.Question = []dns.Question{{Name: k.Domain(), Qtype: k.Type, Qclass: k.Class}}
	out.Answer = m.Answer
	r := &Reply{Rcode: out.Rcode, Answers: len(m.Answer), Server: server, question: len(k.name) + 4}
	if !hasTarget(k, m.Answer) || out.Rcode != dns.RcodeSuccess {
		out.Ns = m.Ns
		r.TTL = absence(m.Ns)
	} else {
		for _, extra := range m.Extra {
			if t := extra.Header().Rrtype; t != dns.TypeOPT && t != dns.TypeTSIG && t != dns.TypeSIG {
				out.Extra = append(out.Extra, extra)
			}
		}
		r.TTL = longestTTL
	}
	for _, a := range m.Answer {
		r.TTL = min(r.TTL, lifetime(a))
		r.addAddr(a)
	}
	if out.Rcode != dns.RcodeSuccess && out.Rcode != dns.RcodeNameError {
		r.TTL = 0 // trouble, which may pass
	}
	wire, err := out.Pack()
	if err != nil {
		return nil, fmt.Errorf("reply for %s: %w", k.Domain(), err)
	}
	if err := new(dns.Msg).Unpack(wire); err != nil { // records that are shorter than they say come through once
		return nil, fmt.Errorf("reply for %s: %w: %w", k.Domain(), errUnreadable, err)
	}
	r.wire = wire
	return r, r.index(len(out.Answer) + len(out.Ns) + len(out.Extra))
}

func (r *Reply) addAddr(rr dns.RR) {
	switch a := rr.(type) {
	case *dns.A:
		if addr, ok := netip.AddrFromSlice(a.A.To4()); ok {
			r.addrs = append(r.addrs, addr)
		}
	case *dns.AAAA:
		if addr, ok := netip.AddrFromSlice(a.AAAA.To16()); ok {
			r.addrs = append(r.addrs, addr)
		}
	}
}

// index finds the records, so that their TTLs can be changed and the message cut.
func (r *Reply) index(count int) error {
	at := headerSize + r.question
	for range count {
		rec, ok := readRecord(r.wire, at)
		if !ok {
			return fmt.Errorf("reply: record at byte %d of %d can't be read", at, len(r.wire))
		}
		r.records = append(r.records, rec)
		at = rec.end
	}
	return nil
}

// hasTarget reports whether an answer has what was asked for, and not only the way there.
func hasTarget(k Key, answer []dns.RR) bool {
	for _, rr := range answer {
		if t := rr.Header().Rrtype; t == k.Type || k.Type == dns.TypeANY {
			return true
		}
	}
	return false
}

// lifetime is the TTL of a record; one with the highest bit set is zero (RFC 2181 §8).
func lifetime(rr dns.RR) time.Duration {
	ttl := rr.Header().Ttl
	if ttl > 1<<31-1 {
		return 0
	}
	return time.Duration(ttl) * time.Second
}

// absence is how long the news holds that there is no answer: zero where no SOA tells.
func absence(ns []dns.RR) time.Duration {
	for _, rr := range ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return min(lifetime(rr), time.Duration(soa.Minttl)*time.Second, longestAbsence)
		}
	}
	return 0
}

// Append appends the answer to q, which has the key that the reply was made for, age after the reply came. Over UDP what
// does not fit is left out and TC set. The question is echoed as it came.
func (r *Reply) Append(b []byte, q *Query, age time.Duration, udp bool) []byte {
	base, limit := len(b), MaxMessage
	if udp {
		limit = q.limit()
	}
	withOPT := q.EDNS && !r.Negative()
	if withOPT {
		limit -= optSize
	}
	flags := uint16(0)
	if !r.Negative() {
		flags = flagRA
	}
	b = q.appendHead(b, flags, r.Rcode)
	kept := 0
	end := headerSize + r.question
	for kept < len(r.records) && r.records[kept].end <= limit {
		end = r.records[kept].end
		kept++
	}
	b = append(b, r.wire[headerSize+r.question:end]...)
	old := uint32(max(age, 0) / time.Second)
	for _, rec := range r.records[:kept] {
		if rec.kind == dns.TypeOPT {
			continue
		}
		ttl := binary.BigEndian.Uint32(r.wire[rec.ttl:])
		binary.BigEndian.PutUint32(b[base+rec.ttl:], ttl-min(ttl, old))
	}
	r.count(b[base:], kept)
	if withOPT {
		b = q.appendOPT(b, base)
	}
	return b
}

// count writes how many records of each section there are, and TC where an answer is missing; additional records may be.
func (r *Reply) count(message []byte, kept int) {
	for section := range 3 {
		n := int(binary.BigEndian.Uint16(r.wire[6+2*section:]))
		fit := min(n, kept)
		binary.BigEndian.PutUint16(message[6+2*section:], uint16(fit))
		if fit < n && section < 2 {
			message[2] |= flagTC >> 8
		}
		kept -= fit
	}
}
