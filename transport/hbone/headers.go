package hbone

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Header is one header line. Names are lower-case.
type Header struct{ Name, Value string }

// Response is the answer to a CONNECT.
type Response struct {
	Status  int
	Headers []Header
}

// Get is the value of the first header line with this lower-case name.
func (r *Response) Get(name string) (string, bool) { return get(r.Headers, name) }

func get(hs []Header, name string) (string, bool) {
	for _, h := range hs {
		if h.Name == name {
			return h.Value, true
		}
	}
	return "", false
}

// headerBlock gathers what HPACK decodes from one HEADERS frame and its CONTINUATIONs.
type headerBlock struct {
	streamID  uint32 // 0 outside a block
	endStream bool
	frames    int
	bytes     int
	size      int // of the list, RFC 9113 §6.5.2
	tooLarge  bool
	malformed string // why, if it is
	regular   bool   // a regular header was seen
	pseudo    pseudo
	headers   []Header
}

// pseudo are the pseudo headers of a request or a response.
type pseudo struct {
	method, authority, status          string
	hasMethod, hasAuthority, hasStatus bool
	scheme, path, protocol             bool
}

// add takes one decoded field; limit is the largest list in bytes.
func (b *headerBlock) add(f hpack.HeaderField, limit int) {
	b.size += int(f.Size())
	if b.size > limit {
		b.tooLarge = true
		b.headers = nil
		return
	}
	switch {
	case !httpguts.ValidHeaderFieldValue(f.Value):
		b.fault("invalid value of " + strconv.Quote(f.Name))
	case f.IsPseudo():
		if b.regular {
			b.fault("pseudo header after a regular one")
			return
		}
		b.addPseudo(f)
	default:
		b.regular = true
		if fault := headerFault(f.Name, f.Value); fault != "" {
			b.fault(fault)
			return
		}
		b.headers = append(b.headers, Header{f.Name, f.Value})
	}
}

func (b *headerBlock) fault(reason string) {
	if b.malformed == "" {
		b.malformed = reason
	}
}

func (b *headerBlock) addPseudo(f hpack.HeaderField) {
	p := &b.pseudo
	var seen *bool
	switch f.Name {
	case ":method":
		seen, p.method = &p.hasMethod, f.Value
	case ":authority":
		seen, p.authority = &p.hasAuthority, f.Value
	case ":status":
		seen, p.status = &p.hasStatus, f.Value
	case ":scheme":
		seen = &p.scheme
	case ":path":
		seen = &p.path
	case ":protocol":
		seen = &p.protocol
	default:
		b.fault("unknown pseudo header " + strconv.Quote(f.Name))
		return
	}
	if *seen {
		b.fault("two " + f.Name)
	}
	*seen = true
}

// headerFault says what is wrong with a regular header, in either direction; "" if nothing.
func headerFault(name, value string) string {
	switch name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		return "connection-specific header " + name
	case "te":
		if value != "trailers" {
			return "te other than trailers"
		}
	}
	if !httpguts.ValidHeaderFieldName(name) || strings.ToLower(name) != name {
		return "invalid header name " + strconv.Quote(name)
	}
	return ""
}

// checkRequest says what makes a request malformed; "" if nothing (RFC 9113 §8.3.1, §8.5).
func (b *headerBlock) checkRequest() string {
	p := b.pseudo
	switch {
	case b.malformed != "":
		return b.malformed
	case p.hasStatus:
		return ":status in a request"
	case !p.hasMethod || !httpguts.ValidHeaderFieldName(p.method):
		return "no valid :method"
	case p.method == "CONNECT" && (p.scheme || p.path || p.protocol):
		return "CONNECT with :scheme, :path or :protocol"
	case p.method != "CONNECT" && (!p.scheme || !p.path):
		return p.method + " without :scheme or :path"
	case p.hasAuthority && authorityFault(p.authority) != nil:
		return authorityFault(p.authority).Error()
	}
	return ""
}

// checkResponse returns the status of a response, or what makes it malformed.
func (b *headerBlock) checkResponse() (int, string) {
	p := b.pseudo
	if b.malformed != "" {
		return 0, b.malformed
	}
	status, err := strconv.Atoi(p.status)
	if err != nil || len(p.status) != 3 || status < 100 || p.hasMethod || p.hasAuthority || p.scheme || p.path || p.protocol {
		return 0, "no valid :status, or other pseudo headers beside it"
	}
	return status, ""
}

// authorityFault checks the syntax of an authority: the characters of RFC 3986 §3.2, brackets in pairs, at most one
// colon outside them. A port is not asked for.
func authorityFault(a string) error {
	bad := func(why string) error { return fmt.Errorf("invalid authority %q: %s", a, why) }
	if a == "" {
		return bad("empty")
	}
	colons, opened, closed := 0, false, false
	for i := range len(a) {
		switch c := a[i]; {
		case c == '[':
			if opened || i > 0 {
				return bad("misplaced bracket")
			}
			opened = true
		case c == ']':
			if !opened || closed || i == 1 {
				return bad("misplaced bracket")
			}
			closed = true
			colons = 0
			if i+1 < len(a) && a[i+1] != ':' {
				return bad("something other than a port after the bracket")
			}
		case c == ':':
			colons++
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~!$&'()*+,;=", c) >= 0:
		default:
			return bad("illegal character")
		}
	}
	if opened != closed {
		return bad("bracket left open")
	}
	if colons > 1 {
		return bad("more than one port")
	}
	return nil
}

// encodeHeaders appends the block to c.encoded. It must run in the order in which blocks are queued.
func (c *conn) encodeHeaders(pseudo, hs []Header) []byte {
	c.encoded.Reset()
	for _, h := range pseudo {
		// A buffer never fails to take what is written.
		_ = c.encoder.WriteField(hpack.HeaderField{Name: h.Name, Value: h.Value})
	}
	for _, h := range hs {
		_ = c.encoder.WriteField(hpack.HeaderField{Name: h.Name, Value: h.Value, Sensitive: unique(h.Name)})
	}
	return c.encoded.Bytes()
}

// unique says that a header's value differs from stream to stream, so that it would only push out of the
// compression table what does not.
func unique(name string) bool { return name == "traceparent" || name == "forwarded" }

// checkOutgoing refuses headers that must not leave.
func checkOutgoing(hs []Header) error {
	for _, h := range hs {
		if fault := headerFault(h.Name, h.Value); fault != "" {
			return &StreamError{Code: http2.ErrCodeProtocol, Reason: fault}
		}
		if !httpguts.ValidHeaderFieldValue(h.Value) {
			return &StreamError{Code: http2.ErrCodeProtocol, Reason: "invalid value of " + h.Name}
		}
	}
	return nil
}

func listSize(hs []Header) (n uint32) {
	for _, h := range hs {
		n += uint32(len(h.Name) + len(h.Value) + 32)
	}
	return n
}
