package socks

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/troupe-mesh/troupe/transport/memnet"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// script is a client that has said everything at once.
type script struct {
	in       *bytes.Reader
	out      bytes.Buffer
	deadline time.Time
	broken   error // what writing gives
}

func (s *script) Read(p []byte) (int, error)    { return s.in.Read(p) }
func (s *script) SetDeadline(t time.Time) error { s.deadline = t; return nil }

func (s *script) Write(p []byte) (int, error) {
	if s.broken != nil {
		return 0, s.broken
	}
	return s.out.Write(p)
}

func says(parts ...string) *script {
	return &script{in: bytes.NewReader([]byte(strings.Join(parts, "")))}
}

const (
	greeting = "\x05\x01\x00"
	selected = "\x05\x00"
	connect4 = "\x05\x01\x00\x01"
	connect6 = "\x05\x01\x00\x04"
	named    = "\x05\x01\x00\x03"
	port443  = "\x01\xbb"
)

func reply(code Code) string { return "\x05" + string(rune(code)) + "\x00\x01\x00\x00\x00\x00\x00\x00" }

func TestNegotiate(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8::1")
	v6bytes := v6.As16()
	mapped := netip.AddrFrom16(netip.MustParseAddr("10.0.0.1").As16()).As16()
	long := strings.Repeat("n", 255)
	tests := []struct {
		name string
		say  *script
		want string // of the target
	}{
		{"IPv4", says(greeting, connect4, "\x0a\x00\x00\x01", port443), "10.0.0.1:443"},
		{"IPv6", says(greeting, connect6, string(v6bytes[:]), port443), "[2001:db8::1]:443"},
		{"mapped IPv6 stays", says(greeting, connect6, string(mapped[:]), port443), "[::ffff:10.0.0.1]:443"},
		{"a name", says(greeting, named, "\x0bexample.com", port443), "example.com:443"},
		{"the longest name", says(greeting, named, "\xff", long, port443), long + ":443"},
		{"a name that is an address", says(greeting, named, "\x0810.0.0.1", port443), "10.0.0.1:443"},
		{"several methods", says("\x05\x03\x02\x01\x00", connect4, "\x0a\x00\x00\x01", port443), "10.0.0.1:443"},
		{"the reserved byte is ignored", says(greeting, "\x05\x01\x99\x01", "\x0a\x00\x00\x01", port443), "10.0.0.1:443"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.say
			r, err := Negotiate(s, DefaultTimeout)
			if err != nil {
				t.Fatal(err)
			}
			if r.String() != tt.want || r.Port != 443 || (r.Host == "") != r.Addr.IsValid() {
				t.Errorf("the target is %+v", r.Target)
			}
			if got := s.out.String(); got != selected {
				t.Errorf("before the caller replies the client heard %x", got)
			}
			if err := r.Reply(Succeeded); err != nil || s.out.String() != selected+reply(Succeeded) || !s.deadline.IsZero() {
				t.Errorf("then it heard %x, %v", s.out.String(), err)
			}
		})
	}
}

func TestNegotiateLeavesWhatFollows(t *testing.T) {
	s := says(greeting, connect4, "\x0a\x00\x00\x01", port443, "GET / HTTP/1.1")
	if _, err := Negotiate(s, DefaultTimeout); err != nil {
		t.Fatal(err)
	}
	if rest, _ := io.ReadAll(s.in); string(rest) != "GET / HTTP/1.1" {
		t.Errorf("left %q", rest)
	}
}

func TestNegotiateFails(t *testing.T) {
	tests := []struct {
		name  string
		say   *script
		code  Code
		heard string // before the reply
		text  string
	}{
		{"version 4", says("\x04\x01\x00"), CommandNotSupported, "", "unsupported version 4"},
		{"no methods", says("\x05\x00"), CommandNotSupported, "", "methods cannot be zero"},
		{"only passwords", says("\x05\x01\x02"), CommandNotSupported, "", "only unauthenticated is supported"},
		{"the request has another version", says(greeting, "\x06\x01\x00\x01"), CommandNotSupported, selected, "unsupported version 6"},
		{"BIND", says(greeting, "\x05\x02\x00\x01"), CommandNotSupported, selected, "unsupported command 2"},
		{"UDP ASSOCIATE", says(greeting, "\x05\x03\x00\x01"), CommandNotSupported, selected, "unsupported command 3"},
		{"an unknown address type", says(greeting, "\x05\x01\x00\x02"), CommandNotSupported, selected, "unsupported address type 2"},
		{"a name that is not UTF-8", says(greeting, named, "\x01\xff", port443), CommandNotSupported, selected, "not a valid utf8 string"},
		{"an empty name", says(greeting, named, "\x00", port443), HostUnreachable, selected, "the domain is empty"},
		{"nothing", says(), GeneralFailure, "", "EOF"},
		{"half a greeting", says("\x05"), GeneralFailure, "", "EOF"},
		{"half the methods", says("\x05\x02\x00"), GeneralFailure, "", "EOF"},
		{"no request", says(greeting), GeneralFailure, selected, "EOF"},
		{"half an address", says(greeting, connect4, "\x0a"), GeneralFailure, selected, "EOF"},
		{"half a name", says(greeting, named, "\x0bexample"), GeneralFailure, selected, "EOF"},
		{"no port", says(greeting, connect4, "\x0a\x00\x00\x01"), GeneralFailure, selected, "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Negotiate(tt.say, DefaultTimeout)
			var failure *Error
			if !errors.As(err, &failure) || failure.Code != tt.code || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("fails with %v", err)
			}
			if got := tt.say.out.String(); got != tt.heard+reply(tt.code) {
				t.Errorf("the client heard %x", got)
			}
		})
	}
}

func TestWritingFails(t *testing.T) {
	s := says(greeting, connect4, "\x0a\x00\x00\x01", port443)
	s.broken = io.ErrClosedPipe
	if _, err := Negotiate(s, DefaultTimeout); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("negotiating gives %v", err)
	}
	s = says(greeting, connect4, "\x0a\x00\x00\x01", port443)
	r, err := Negotiate(s, DefaultTimeout)
	if err != nil {
		t.Fatal(err)
	}
	s.broken = io.ErrClosedPipe
	if err := r.Reply(Succeeded); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("replying gives %v", err)
	}
}

func TestSilentClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := memnet.New(memnet.Options{}).AddHost(netip.MustParseAddr("10.0.0.1"))
		l, err := h.Listen(t.Context(), netip.MustParseAddrPort("127.0.0.1:15080"), socket.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := h.Dial(t.Context(), l.Addr(), socket.DialOptions{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(greeting)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := Negotiate(a.Conn, DefaultTimeout); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != DefaultTimeout {
			t.Errorf("a client that stalls gives %v after %s", err, time.Since(start))
		}
		heard := make([]byte, 12)
		if _, err := io.ReadFull(c, heard); err != nil || string(heard) != selected+reply(GeneralFailure) {
			t.Errorf("it hears %x, %v", heard, err)
		}
	})
}
