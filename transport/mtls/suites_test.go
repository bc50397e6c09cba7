package mtls

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// hello is the ClientHello that a configuration makes, as one record.
func hello(t *testing.T, c *tls.Config) []byte {
	t.Helper()
	near, far := net.Pipe()
	defer func() { _ = near.Close() }()
	go func() {
		_ = tls.Client(far, c).Handshake() // nobody answers
		_ = far.Close()
	}()
	return record(t, near)
}

// record reads one of TLS.
func record(t *testing.T, from net.Conn) []byte {
	t.Helper()
	_ = from.SetDeadline(time.Now().Add(10 * time.Second))
	whole := make([]byte, 5)
	if _, err := io.ReadFull(from, whole); err != nil {
		t.Fatal(err)
	}
	whole = append(whole, make([]byte, binary.BigEndian.Uint16(whole[3:]))...)
	if _, err := io.ReadFull(from, whole[5:]); err != nil {
		t.Fatal(err)
	}
	return whole
}

// helloSuites is where the suites of a ClientHello are: behind two headers, a version, random bytes and a session's id.
func helloSuites(hello []byte) []byte {
	at := 5 + 4 + 2 + 32
	at += 1 + int(hello[at])
	return hello[at+2:][:binary.BigEndian.Uint16(hello[at:])]
}

func suites(ids ...uint16) []byte {
	var b []byte
	for _, id := range ids {
		b = binary.BigEndian.AppendUint16(b, id)
	}
	return b
}

// A peer is offered AES-GCM only.
func TestOfferedSuites(t *testing.T) {
	client := workload(t, newRoot(t, "root", nil), alice)
	both := []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_AES_256_GCM_SHA384}
	for _, o := range []Options{{}, {PQC: true}} {
		offered := helloSuites(hello(t, client.ClientConfig([]messages.Identity{bob}, o)))
		if !bytes.Equal(offered, suites(both...)) {
			t.Errorf("%+v: offers % x", o, offered)
		}
	}
	offered := helloSuites(hello(t, client.ClientConfig([]messages.Identity{bob}, Options{TLS12: true})))
	for len(offered) > 0 {
		id := binary.BigEndian.Uint16(offered)
		if !slices.Contains(append(both, suitesTLS12...), id) {
			t.Errorf("with TLS 1.2: offers %s", tls.CipherSuiteName(id))
		}
		offered = offered[2:]
	}
	if slices.Contains(suitesWithAES, tls.TLS_CHACHA20_POLY1305_SHA256) || slices.Contains(suitesWithoutAES, tls.TLS_CHACHA20_POLY1305_SHA256) {
		t.Error("on some hardware there is ChaCha20")
	}
}

// A peer that would rather have ChaCha20 gets AES-GCM if it can, and is refused otherwise.
func TestChosenSuite(t *testing.T) {
	root := newRoot(t, "root", nil)
	client, server := workload(t, root, alice), workload(t, root, bob)
	const (
		alert, handshake = 21, 22
		refused          = 40 // handshake_failure
		chaCha           = tls.TLS_CHACHA20_POLY1305_SHA256
	)
	for name, test := range map[string]struct {
		offers [2]uint16
		want   uint16 // 0 is refused
	}{
		"AES-256 only":        {[2]uint16{tls.TLS_AES_256_GCM_SHA384, tls.TLS_AES_256_GCM_SHA384}, tls.TLS_AES_256_GCM_SHA384},
		"ChaCha20 before AES": {[2]uint16{chaCha, tls.TLS_AES_128_GCM_SHA256}, tls.TLS_AES_128_GCM_SHA256},
		"AES before ChaCha20": {[2]uint16{tls.TLS_AES_256_GCM_SHA384, chaCha}, tls.TLS_AES_256_GCM_SHA384},
		"ChaCha20 only":       {[2]uint16{chaCha, chaCha}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			say := hello(t, client.ClientConfig([]messages.Identity{bob}, Options{}))
			copy(helloSuites(say), suites(test.offers[:]...))
			near, far := net.Pipe()
			defer func() { _ = near.Close() }()
			ended := make(chan error, 1)
			go func() {
				ended <- tls.Server(far, server.ServerConfig(Options{})).Handshake()
				_ = far.Close()
			}()
			go func() { _, _ = near.Write(say) }()
			answer := record(t, near)
			_ = near.Close()
			if err := <-ended; err == nil {
				t.Fatal("a handshake of one message succeeded")
			}
			if test.want == 0 {
				if answer[0] != alert || answer[6] != refused {
					t.Errorf("answered % x", answer[:7])
				}
				return
			}
			chosen := answer[5+4+2+32:]
			chosen = chosen[1+int(chosen[0]):]
			if answer[0] != handshake || binary.BigEndian.Uint16(chosen) != test.want {
				t.Errorf("answered % x, chose % x", answer[:7], chosen[:2])
			}
		})
	}
}
