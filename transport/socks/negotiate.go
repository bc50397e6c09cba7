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
// code, as far as it still listens, and the connection is the caller's to close. After success no deadline is set
// and the caller owes the client a Reply.
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
	if err := c.SetDeadline(time.Time{}); err != nil {
		return nil, &Error{Code: GeneralFailure, Err: err}
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
	greeting := r.take(2)
	if r.err == nil && greeting[0] != version {
		return Target{}, invalid("unsupported version %d", greeting[0])
	}
	if r.err == nil && greeting[1] == 0 {
		return Target{}, invalid("methods cannot be zero")
	}
	methods := r.take(int(greeting[1]))
	if r.err == nil && !bytes.Contains(methods, []byte{noAuth}) {
		return Target{}, invalid("only unauthenticated is supported")
	}
	if r.err == nil {
		_, r.err = rw.Write([]byte{version, noAuth})
	}
	head := r.take(4) // version, command, reserved, address type
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
		return numeric(netip.AddrFrom4([4]byte(r.take(4))), r.port()), nil
	case typeIPv6:
		return numeric(netip.AddrFrom16([16]byte(r.take(16))), r.port()), nil
	case typeName:
		name := string(r.take(int(r.take(1)[0])))
		if r.err == nil && !utf8.ValidString(name) {
			return Target{}, invalid("domain is not a valid utf8 string: %q", name)
		}
		port := r.port()
		if name == "" {
			return Target{}, &Error{Code: HostUnreachable, Problem: "the domain is empty"}
		}
		// Some clients send every host as a name. An address needs no DNS.
		if a, err := netip.ParseAddr(name); err == nil && a.Zone() == "" {
			return numeric(a, port), nil
		}
		return Target{Host: name, Port: port}, nil
	}
	return Target{}, invalid("unsupported address type %d", kind)
}

func numeric(a netip.Addr, port uint16) Target {
	return Target{Addr: netip.AddrPortFrom(a, port), Port: port}
}

// reader reads exactly what it is asked for. After the first error it gives zeroes, and keeps the error.
type reader struct {
	from io.Reader
	buf  [maxNameLength]byte
	err  error
}

// take reads n bytes, 0 to 255. They hold until the next call.
func (r *reader) take(n int) []byte {
	b := r.buf[:n]
	if r.err == nil {
		_, r.err = io.ReadFull(r.from, b)
	}
	if r.err != nil {
		clear(b)
	}
	return b
}

func (r *reader) port() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
