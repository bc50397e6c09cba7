package mtls

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

var (
	alice = messages.Identity{TrustDomain: "cluster.local", Namespace: "default", ServiceAccount: "alice"}
	bob   = messages.Identity{TrustDomain: "cluster.local", Namespace: "default", ServiceAccount: "bob"}
	mars  = messages.Identity{TrustDomain: "mars", Namespace: "default", ServiceAccount: "bob"}
)

// issuer is a CA of a test.
type issuer struct {
	key  crypto.Signer
	cert *x509.Certificate
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a certificate of template; a nil parent means self-signed.
func sign(t testing.TB, parent *issuer, template *x509.Certificate) *issuer {
	t.Helper()
	key := newKey(t)
	if template.SerialNumber == nil {
		template.SerialNumber = big.NewInt(time.Now().UnixNano())
	}
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	by, as := crypto.Signer(key), template
	if parent != nil {
		by, as = parent.key, parent.cert
	}
	der, err := x509.CreateCertificate(rand.Reader, template, as, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{key: key, cert: cert}
}

// newRoot makes a root; edit may spoil it.
func newRoot(t testing.TB, name string, edit func(*x509.Certificate)) *issuer {
	t.Helper()
	return sign(t, nil, caTemplate(name, edit))
}

func caTemplate(name string, edit func(*x509.Certificate)) *x509.Certificate {
	c := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, MaxPathLen: -1,
	}
	if edit != nil {
		edit(c)
	}
	return c
}

// leafTemplate is a workload's certificate with these URIs, none for none.
func leafTemplate(uris ...string) *x509.Certificate {
	c := &x509.Certificate{
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	if len(uris) > 0 {
		c.ExtraExtensions = []pkix.Extension{{Id: oidSubjectAltName, Critical: true, Value: sanOf(uris...)}}
	}
	return c
}

func sanOf(uris ...string) []byte {
	var names []asn1.RawValue
	for _, u := range uris {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tagURI, Bytes: []byte(u)})
	}
	der, err := asn1.Marshal(names)
	if err != nil {
		panic(err)
	}
	return der
}

func (i *issuer) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: i.cert.Raw}))
}

// bundle joins the certificates of several.
func bundle(all ...*issuer) string {
	var b strings.Builder
	for _, i := range all {
		b.WriteString(i.pem())
	}
	return b.String()
}

// certificate is what id has when leaf was issued for it, with intermediates, under roots.
func certificate(t testing.TB, id messages.Identity, leaf *issuer, roots string, intermediates ...*issuer) *Certificate {
	t.Helper()
	chain := []string{leaf.pem()}
	for _, i := range intermediates {
		chain = append(chain, i.pem())
	}
	c, err := ParseChain(id, leaf.key, append(chain, roots))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// workload is an ordinary certificate for id of root.
func workload(t testing.TB, root *issuer, id messages.Identity) *Certificate {
	t.Helper()
	return certificate(t, id, sign(t, root, leafTemplate(id.String())), root.pem())
}

// outcome is what both ends of a handshake saw.
type outcome struct {
	client, server           error
	clientState, serverState tls.ConnectionState
}

// handshake runs one over loopback, with a byte each way, since in TLS 1.3 a client learns only afterwards that it was
// refused.
func handshake(t testing.TB, client, server *tls.Config) outcome {
	t.Helper()
	a, b := connected(t)
	tc, ts := tls.Client(a, client), tls.Server(b, server)
	var o outcome
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer b.Close()
		if o.server = ts.Handshake(); o.server == nil {
			o.serverState = ts.ConnectionState()
			o.server = exchange(ts, false)
		}
		// An early close would reset the connection, and the alert would be lost on its way.
		_ = b.CloseWrite()
		_, _ = io.Copy(io.Discard, b)
	}()
	if o.client = tc.Handshake(); o.client == nil {
		o.clientState = tc.ConnectionState()
		o.client = exchange(tc, true)
	}
	_ = a.CloseWrite()
	_, _ = io.Copy(io.Discard, a)
	a.Close()
	<-done
	return o
}

func connected(t testing.TB) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr)); err != nil {
		t.Fatal(err)
	}
	if b, err = l.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for _, c := range []net.Conn{a, b} {
		if err := c.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

func exchange(c net.Conn, first bool) error {
	buf := make([]byte, 1)
	if first {
		if _, err := c.Write([]byte{1}); err != nil {
			return err
		}
	}
	if _, err := c.Read(buf); err != nil {
		return err
	}
	if !first {
		if _, err := c.Write(bytes.Clone(buf)); err != nil {
			return err
		}
	}
	return nil
}

func (o outcome) ok() bool { return o.client == nil && o.server == nil }

func (o outcome) err() error { return errors.Join(o.client, o.server) }
