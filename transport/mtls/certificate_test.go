package mtls

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

func TestRefreshAndExpiry(t *testing.T) {
	begin := time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC)
	root := newRoot(t, "root", nil)
	template := leafTemplate(alice.String())
	template.NotBefore, template.NotAfter = begin, begin.Add(24*time.Hour)
	c := certificate(t, alice, sign(t, root, template), root.pem())
	for _, tt := range []struct {
		at      time.Duration // since begin
		refresh time.Duration
		expired bool
	}{
		{-time.Second, 0, false},
		{0, 12 * time.Hour, false},
		{11 * time.Hour, time.Hour, false},
		{12 * time.Hour, 0, false},
		{24 * time.Hour, 0, false},
		{24*time.Hour + time.Second, 0, true},
	} {
		now := begin.Add(tt.at)
		if got := c.RefreshAfter(now); got != tt.refresh || c.Expired(now) != tt.expired {
			t.Errorf("at %v: refresh after %v, expired %v: want %v, %v", tt.at, got, c.Expired(now), tt.refresh, tt.expired)
		}
	}
}

func TestCheckIdentity(t *testing.T) {
	root := newRoot(t, "root", nil)
	for _, tt := range []struct {
		name string
		uris []string
		ok   bool
	}{
		{"as asked", []string{alice.String()}, true},
		{"somebody else", []string{bob.String()}, false},
		{"only later", []string{bob.String(), alice.String()}, false},
		{"nobody", nil, false},
	} {
		err := certificate(t, alice, sign(t, root, leafTemplate(tt.uris...)), root.pem()).CheckIdentity()
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		var wrong *WrongIdentityError
		if err != nil && (!errors.As(err, &wrong) || err.Error() != "did not find expected SAN: spiffe://cluster.local/ns/default/sa/alice") {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
}

func TestDump(t *testing.T) {
	root := newRoot(t, "root", func(c *x509.Certificate) { c.SerialNumber = big.NewInt(7) })
	template := leafTemplate(alice.String())
	template.SerialNumber = new(big.Int).Lsh(big.NewInt(1), 80)
	leaf := sign(t, root, template)
	c := certificate(t, alice, leaf, root.pem())
	check := func(got []messages.CertificatePEM, serial string, from *issuer) {
		t.Helper()
		if len(got) != 1 || got[0].SerialNumber != serial || string(got[0].PEM) != from.pem() ||
			!got[0].NotBefore.Equal(from.cert.NotBefore) || !got[0].NotAfter.Equal(from.cert.NotAfter) {
			t.Errorf("dump %+v", got)
		}
	}
	check(c.Chain(), "1208925819614629174706176", leaf)
	check(c.Roots(), "7", root)
	if c.SerialNumber() != "1208925819614629174706176" {
		t.Errorf("serial number %s", c.SerialNumber())
	}
}

func TestPrivateKeyIsPKCS8(t *testing.T) {
	c := workload(t, newRoot(t, "root", nil), alice)
	text, err := c.PrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil || block.Type != "PRIVATE KEY" {
		t.Fatalf("%s: %v", block.Type, err)
	}
	if !key.(crypto.Signer).Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(c.Leaf().PublicKey) {
		t.Fatal("another key")
	}
}
