package hbone

import (
	"testing"

	"golang.org/x/net/http2/hpack"
)

func TestAuthoritySyntax(t *testing.T) {
	for authority, good := range map[string]bool{
		"10.0.0.1:80":                    true,
		"[2001:db8::1]:80":               true,
		"[2001:db8::1]":                  true,
		"server.default.svc:8080":        true,
		"Host_with-All.chars~!$&'()*,;=": true,
		"no-port":                        true,
		"port-missing:":                  true,
		"":                               false,
		"a:1:2":                          false,
		"2001:db8::1":                    false,
		"[2001:db8::1":                   false,
		"2001:db8::1]":                   false,
		"[]:80":                          false,
		"[::1]80":                        false,
		"[::1]:80:90":                    false,
		"a[::1]":                         false,
		"[[::1]]":                        false,
		"user@host:80":                   false,
		"a%20b:80":                       false,
		"a b:80":                         false,
		"a/b:80":                         false,
		"a\x00:80":                       false,
		"é:80":                           false,
	} {
		if err := authorityFault(authority); (err == nil) != good {
			t.Errorf("%q: %v", authority, err)
		}
	}
}

func TestHeaderListIsCountedAndCut(t *testing.T) {
	var b headerBlock
	f := hpack.HeaderField{Name: "baggage", Value: "0123456789"} // 7 + 10 + 32 bytes
	for range 3 {
		b.add(f, 3*49)
	}
	if b.tooLarge || len(b.headers) != 3 {
		t.Fatalf("too large: %v, %d headers", b.tooLarge, len(b.headers))
	}
	b.add(f, 3*49)
	if !b.tooLarge || b.headers != nil {
		t.Errorf("too large: %v, %d headers kept", b.tooLarge, len(b.headers))
	}
}

func TestHeaderLines(t *testing.T) {
	r := &ServerStream{Headers: []Header{{"a", "1"}, {"b", "2"}, {"a", "3"}}}
	if v, ok := r.Get("a"); v != "1" || !ok {
		t.Error(v, ok)
	}
	if _, ok := r.Get("c"); ok {
		t.Error("c is there")
	}
	if all := r.All("a"); len(all) != 2 || all[1] != "3" {
		t.Error(all)
	}
	if v, ok := (&Response{Headers: r.Headers}).Get("b"); v != "2" || !ok {
		t.Error(v, ok)
	}
}

// What differs from stream to stream must not push what does not out of the compression table.
func TestUniqueHeadersAreNotIndexed(t *testing.T) {
	c, err := newConn(sink{}, ClientDefaults().or(ClientDefaults()), false)
	if err != nil {
		t.Fatal(err)
	}
	hs := []Header{{"baggage", "k8s.namespace.name=some-namespace"}, {"traceparent", "00-11111111111111111111111111111111-2222222222222222-00"}}
	first := len(c.encodeHeaders(nil, hs))
	if second := len(c.encodeHeaders(nil, hs)); second < 40 || first-second < 20 {
		t.Errorf("%d bytes, then %d: only baggage should get shorter", first, second)
	}
}
