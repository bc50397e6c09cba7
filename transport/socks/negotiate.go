package socks

import (
	"bytes"
	"encoding/binary"
	"io"
	"net/netip"
	"time"
	"unicode/utf8"
)

// DefaultTimeout bounds a negotiation where the caller has no other wish. The reference has no bound.
const DefaultTimeout = 10 * time.Second

// failureTimeout bounds the reply to a client that failed. Its ten bytes go into an empty send buffer.
const failureTimeout = time.Second

const (
	version       = 5
	noAuth        = 0
	connect       = 1
	typeIPv4      = 1
	typeName      = 3
	typeIPv6      = 4
	maxNameLength = 255
)

// Conn is what is negotiated on.
type Conn interface {
	io.ReadWriter
	SetDeadline(t time.Time) error
}

// Request is a negotiated CONNECT that waits for its reply.
type Request struct {
	Target
	conn    Conn
	timeout time.Duration
}

// Negotiate reads the greeting and the request within timeout. Errors are *Error; the client was then told their
// code, as far as it still listens, and the connection is the caller's to close. After success the caller owes the
// client a Reply, which also lifts the deadline that still stands.
func Negotiate(c Conn, timeout time.Duration) (*Request, error) {
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, &Error{Code: GeneralFailure, Err: err}
	}
	target, failure := negotiate(c)
	if failure != nil {
		_ = c.SetDeadline(time.Now().Add(failureTimeout)) // the old one may have passed
		_ = writeReply(c, failure.Code)
		return nil, failure
	}
	return &Request{Target: target, conn: c, timeout: timeout}, nil
}

// Reply tells the client how its request went. The caller makes it once, before any other byte goes to the client.
func (r *Request) Reply(code Code) error {
	if err := r.conn.SetDeadline(time.Now().Add(r.timeout)); err != nil {
		return &Error{Code: code, Err: err}
	}
	if err := writeReply(r.conn, code); err != nil {
		return &Error{Code: code, Err: err}
	}
	if err := r.conn.SetDeadline(time.Time{}); err != nil {
		return &Error{Code: code, Err: err}
	}
	return nil
}

// writeReply writes a reply with the dummy address that the reference uses.
func writeReply(w io.Writer, code Code) error {
	_, err := w.Write([]byte{version, byte(code), 0, typeIPv4, 0, 0, 0, 0, 0, 0})
	return err
}

// negotiate is the protocol up to the request.
func negotiate(rw io.ReadWriter) (Target, *Error) {
	r := reader{from: rw}
	greeting := r.take(2, 1) // version, count; one method is the least that follows
	if r.err == nil && greeting[0] != version {
		return Target{}, invalid("unsupported version %d", greeting[0])
	}
	if r.err == nil && greeting[1] == 0 {
		return Target{}, invalid("methods cannot be zero")
	}
	methods := r.take(int(greeting[1]), 0)
	if r.err == nil && !bytes.Contains(methods, []byte{noAuth}) {
		return Target{}, invalid("only unauthenticated is supported")
	}
	if r.err == nil {
		_, r.err = rw.Write([]byte{version, noAuth})
	}
	r.at, r.end = 0, 0
	head := r.take(4, 1+2) // version, command, reserved, address type; an empty name and a port are the least that follows
	switch {
	case r.err != nil:
	case head[0] != version:
		return Target{}, invalid("unsupported version %d", head[0])
	case head[1] != connect:
		return Target{}, invalid("unsupported command %d", head[1])
	}
	target, failure := r.target(head[3])
	if r.err != nil {
		return Target{}, &Error{Code: GeneralFailure, Err: r.err}
	}
	return target, failure
}

// target reads an address of a type and the port behind it.
func (r *reader) target(kind byte) (Target, *Error) {
	if r.err != nil {
		return Target{}, nil
	}
	switch kind {
	case typeIPv4:
		b := r.take(4+2, 0)
		return numeric(netip.AddrFrom4([4]byte(b)), port(b[4:])), nil
	case typeIPv6:
		b := r.take(16+2, 0)
		return numeric(netip.AddrFrom16([16]byte(b)), port(b[16:])), nil
	case typeName:
		n := int(r.take(1, 2)[0])
		b := r.take(n+2, 0)
		name := string(b[:n])
		if r.err == nil && !utf8.ValidString(name) {
			return Target{}, invalid("domain is not a valid utf8 string: %q", name)
		}
		if name == "" {
			return Target{}, &Error{Code: HostUnreachable, Problem: "the domain is empty"}
		}
		// Some clients send every host as a name. An address needs no DNS.
		if a, err := netip.ParseAddr(name); err == nil && a.Zone() == "" {
			return numeric(a, port(b[n:])), nil
		}
		return Target{Host: name, Port: port(b[n:])}, nil
	}
	return Target{}, invalid("unsupported address type %d", kind)
}

func numeric(a netip.Addr, port uint16) Target {
	return Target{Addr: netip.AddrPortFrom(a, port), Port: port}
}

func port(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

// reader reads a greeting or a request and not one byte beyond it, in as few reads as that allows. After the first error
// it gives zeroes, and keeps the error.
type reader struct {
	from    io.Reader
	buf     [4 + 1 + maxNameLength + 2]byte
	at, end int // what was read and not yet taken
	err     error
}

// take gives the next n bytes, 0 to 257. spare is how many are sure to follow them: they are read along where they have come.
func (r *reader) take(n, spare int) []byte {
	if missing := n - (r.end - r.at); r.err == nil && missing > 0 {
		var got int
		got, r.err = io.ReadAtLeast(r.from, r.buf[r.end:r.end+missing+spare], missing)
		r.end += got
	}
	b := r.buf[r.at : r.at+n]
	if r.err != nil {
		clear(b)
		return b
	}
	r.at += n
	return b
}
