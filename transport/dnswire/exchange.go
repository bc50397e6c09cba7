package dnswire

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/miekg/dns"
)

const (
	// upstreamPayload is what we say that we take over UDP: what passes most networks in one piece.
	upstreamPayload = 1232
	// maxMismatched bounds the datagrams that are read in vain for one question.
	maxMismatched = 64
)

var (
	errMismatched = errors.New("only answers to other questions came")
	errNoAnswer   = fmt.Errorf("no answer in time: %w", os.ErrDeadlineExceeded)
	errUnreadable = errors.New("the answer can't be read")
)

// exchange asks one server: over UDP, over TCP where the answer was cut, without EDNS where the server does not know it.
// An answer other than NOERROR and NXDOMAIN is a *RcodeError.
func (u *Upstream) exchange(ctx context.Context, s *server, k Key) (*dns.Msg, error) {
	m, err := u.overUDP(ctx, s, k, true)
	if err == nil && m.IsEdns0() == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented) {
		m, err = u.overUDP(ctx, s, k, false)
	}
	if err == nil && m.Truncated {
		m, err = u.overTCP(ctx, s, k)
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return nil, errNoAnswer
	case err != nil:
		return nil, err
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return nil, &RcodeError{Server: s.addr, Rcode: m.Rcode}
	}
	return m, nil
}

// said reports whether an error is a server's own word.
func said(err error) bool {
	var e *RcodeError
	return errors.As(err, &e)
}

func (u *Upstream) overUDP(ctx context.Context, s *server, k Key, edns bool) (*dns.Msg, error) {
	c, err := u.config.Dialer.DialPacket(ctx, s.addr)
	if err != nil {
		return nil, err
	}
	defer closing(ctx, c)()
	id := randomID()
	if _, err := c.Write(question(nil, id, k, edns)); err != nil {
		return nil, err
	}
	buffer := make([]byte, packetSize)
	for range maxMismatched {
		n, err := c.Read(buffer)
		if err != nil {
			return nil, err
		}
		m, err := readAnswer(buffer[:n], id, k)
		if errors.Is(err, errMismatched) {
			u.config.Mismatched.Add(1)
			continue
		}
		return m, err
	}
	return nil, errMismatched
}

func (u *Upstream) overTCP(ctx context.Context, s *server, k Key) (*dns.Msg, error) {
	c, err := u.config.Dialer.DialStream(ctx, s.addr)
	if err != nil {
		return nil, err
	}
	defer closing(ctx, c)()
	id := randomID()
	framed := question(make([]byte, 2), id, k, true)
	binary.BigEndian.PutUint16(framed, uint16(len(framed)-2))
	if _, err := c.Write(framed); err != nil {
		return nil, err
	}
	packet, err := readFrame(c)
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w: it ends early", errUnreadable)
		}
		return nil, err
	}
	m, err := readAnswer(packet, id, k)
	if err == nil && m.Truncated {
		return nil, fmt.Errorf("%w: it is cut over TCP too", errUnreadable)
	}
	return m, err
}

// closing lets a connection end with ctx; what it returns closes it for good.
func closing(ctx context.Context, c net.Conn) func() {
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	return func() {
		stop()
		_ = c.Close()
	}
}

func randomID() uint16 {
	var b [2]byte
	_, _ = crand.Read(b[:]) // never fails
	return binary.BigEndian.Uint16(b[:])
}

// question appends the message that asks for k.
func question(b []byte, id uint16, k Key, edns bool) []byte {
	flags := uint16(flagRD)
	if k.CD {
		flags |= flagCD
	}
	q := Query{
		ID: id, flags: flags, question: binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte(k.name), k.Type), k.Class),
		EDNS: edns, DO: k.DO, payload: upstreamPayload,
	}
	base := len(b)
	b = q.appendHead(b, 0, dns.RcodeSuccess)
	b[base+2] &^= flagQR >> 8
	return q.appendOPT(b, base)
}

// readAnswer reads what should answer k. A message with another id, or to another question, is errMismatched: whoever sent
// it does not know what we asked.
func readAnswer(packet []byte, id uint16, k Key) (*dns.Msg, error) {
	if len(packet) < headerSize || binary.BigEndian.Uint16(packet) != id || packet[2]&(flagQR>>8) == 0 {
		return nil, errMismatched
	}
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if len(m.Question) == 0 && len(m.Answer) == 0 && m.Rcode != dns.RcodeSuccess {
		return m, nil // servers that can't read a question don't repeat it
	}
	if len(m.Question) != 1 {
		return nil, errMismatched
	}
	q := m.Question[0]
	asked, ok := QuestionKey(q.Name, q.Qtype)
	if !ok || asked.name != k.name || q.Qtype != k.Type || q.Qclass != k.Class || m.Opcode != dns.OpcodeQuery {
		return nil, errMismatched
	}
	if err := relevant(k, m); err != nil {
		return nil, err
	}
	return m, nil
}
