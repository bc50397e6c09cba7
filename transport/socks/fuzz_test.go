package socks

import (
	"bytes"
	"errors"
	"testing"
)

func FuzzNegotiate(f *testing.F) {
	f.Add([]byte(greeting + connect4 + "\x0a\x00\x00\x01" + port443))
	f.Add([]byte(greeting + connect6 + "0123456789abcdef" + port443))
	f.Add([]byte(greeting + named + "\x0bexample.com" + port443 + "and more"))
	f.Add([]byte("\x05\xff"))
	f.Fuzz(func(t *testing.T, in []byte) {
		s := &script{in: bytes.NewReader(in)}
		r, err := Negotiate(s, DefaultTimeout)
		var failure *Error
		switch {
		case err != nil && !errors.As(err, &failure):
			t.Fatalf("an error of another kind: %v", err)
		case err != nil:
			if !bytes.HasSuffix(s.out.Bytes(), []byte(reply(failure.Code))) || failure.Code == Succeeded {
				t.Fatalf("%v, but the client heard %x", err, s.out.Bytes())
			}
		case (r.Host != "") == r.Addr.IsValid() || len(r.Host) > maxNameLength || r.String() == "":
			t.Fatalf("an odd target: %+v", r.Target)
		case s.out.String() != selected:
			t.Fatalf("the client heard %x", s.out.Bytes())
		}
	})
}
