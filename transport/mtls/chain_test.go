package mtls

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

func TestParseChain(t *testing.T) {
	one, two := newRoot(t, "one", nil), newRoot(t, "two", nil)
	middle := sign(t, one, caTemplate("middle", nil))
	leaf := sign(t, middle, leafTemplate(alice.String()))
	foreignKey := string(pem.EncodeToMemory(&pem.Block{Type: blockPrivateKey, Bytes: []byte{1}}))
	broken := string(pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: []byte{0x30, 0x00}}))
	many := make([]string, maxChainElements+1)
	tests := []struct {
		name          string
		chain         []string
		intermediates int
		roots         int
		want          string // part of the error
	}{
		{"leaf and root", []string{leaf.pem(), one.pem()}, 0, 1, ""},
		{"leaf, intermediate and roots", []string{leaf.pem(), middle.pem(), bundle(one, two)}, 1, 2, ""},
		{"text around blocks", []string{"# leaf\n" + leaf.pem(), "# roots\n" + one.pem() + "end\n"}, 0, 1, ""},
		{"only the first block of a leaf counts", []string{leaf.pem() + foreignKey, middle.pem() + broken, one.pem()}, 1, 1, ""},
		{"nothing", nil, 0, 0, "chain returned from CA is empty for: spiffe://cluster.local/ns/default/sa/alice"},
		{"no root", []string{leaf.pem()}, 0, 0, "has no root"},
		{"too many elements", many, 0, 0, "has 17 elements: want at most 16"},
		{"leaf is no PEM", []string{"leaf", one.pem()}, 0, 0, "element 0: no PEM block"},
		{"intermediate is empty", []string{leaf.pem(), "", one.pem()}, 0, 0, "element 1: no PEM block"},
		{"roots are empty", []string{leaf.pem(), ""}, 0, 0, "roots: no PEM block"},
		{"leaf is a key", []string{foreignKey, one.pem()}, 0, 0, `element 0: PEM block "PRIVATE KEY": want CERTIFICATE`},
		{"a root is a key", []string{leaf.pem(), one.pem() + foreignKey}, 0, 0, `roots: PEM block "PRIVATE KEY"`},
		{"leaf is broken", []string{broken, one.pem()}, 0, 0, "element 0: parsing certificate"},
		{"the second root is broken", []string{leaf.pem(), one.pem() + broken}, 0, 0, "roots: parsing certificate"},
		{"too many roots", []string{leaf.pem(), strings.Repeat(one.pem(), maxRoots+1)}, 0, 0, "more than 128 roots"},
		{"leaf of another key", []string{middle.pem(), one.pem()}, 0, 0, "the leaf is not for our private key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := ParseChain(alice, leaf.key, tt.chain)
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("error %v: want %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := len(c.Chain()) - 1; n != tt.intermediates || len(c.Roots()) != tt.roots {
				t.Fatalf("%d intermediates, %d roots: want %d, %d", n, len(c.Roots()), tt.intermediates, tt.roots)
			}
		})
	}
	var empty *EmptyChainError
	if _, err := ParseChain(alice, leaf.key, nil); !errors.As(err, &empty) || empty.Identity != alice {
		t.Errorf("empty chain: %v", err)
	}
	if _, err := ParseChain(alice, nil, []string{leaf.pem(), one.pem()}); err == nil {
		t.Error("a chain without a key was accepted")
	}
}

// A certificate ends when no path from it is valid any more.
func TestEndOfAChain(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	until := func(d time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.NotAfter = now.Add(d) }
	}
	root := newRoot(t, "root", until(-time.Minute)) // an anchor's own end is not asked for
	long := sign(t, root, caTemplate("middle", until(24*time.Hour)))
	short := *long
	template := caTemplate("middle", until(time.Hour))
	template.NotBefore, template.SerialNumber = now.Add(-time.Hour), big.NewInt(7)
	der, err := x509.CreateCertificate(rand.Reader, template, root.cert, long.key.Public(), root.key)
	if err != nil {
		t.Fatal(err)
	}
	if short.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	junk := newRoot(t, "elsewhere", until(-time.Minute))
	leaf := func(by *issuer) *issuer {
		template := leafTemplate(alice.String())
		template.NotAfter = now.Add(12 * time.Hour)
		return sign(t, by, template)
	}
	for name, test := range map[string]struct {
		leaf  *issuer
		above []*issuer
		want  time.Duration
	}{
		"no intermediate":                      {leaf(root), nil, 12 * time.Hour},
		"one that lives longer":                {leaf(long), []*issuer{long}, 12 * time.Hour},
		"one that ends before":                 {leaf(long), []*issuer{&short}, time.Hour},
		"two ways, of which one ends before":   {leaf(long), []*issuer{&short, long}, 12 * time.Hour},
		"out of order, with what nobody needs": {leaf(long), []*issuer{junk, &short}, time.Hour},
		"one that nobody needs has ended":      {leaf(root), []*issuer{junk}, 12 * time.Hour},
		"no path at all":                       {leaf(newRoot(t, "strange", nil)), []*issuer{&short}, 12 * time.Hour},
	} {
		chain := []string{test.leaf.pem()}
		for _, i := range test.above {
			chain = append(chain, i.pem())
		}
		c, err := ParseChain(alice, test.leaf.key, append(chain, root.pem()))
		if err != nil {
			t.Fatal(err)
		}
		if want := now.Add(test.want); !c.NotAfter.Equal(want) {
			t.Errorf("%s: ends at %v, want %v", name, c.NotAfter, want)
		}
	}
}

// The identity that was asked for is what another workload's certificate is refused by, and whose trust domain a
// certificate without any id stands for.
func TestTrustDomainOfOurOwn(t *testing.T) {
	root := newRoot(t, "root", nil)
	for _, tt := range []struct {
		name  string
		asked messages.Identity
		uris  []string
		want  string
	}{
		{"as asked", alice, []string{alice.String()}, "cluster.local"},
		{"the certificate says otherwise", alice, []string{mars.String()}, "mars"},
		{"the certificate says nothing", alice, nil, "cluster.local"},
	} {
		if c := certificate(t, tt.asked, sign(t, root, leafTemplate(tt.uris...)), root.pem()); c.trustDomain != tt.want {
			t.Errorf("%s: %q: want %q", tt.name, c.trustDomain, tt.want)
		}
	}
}

func FuzzParseChain(f *testing.F) {
	root := newRoot(f, "root", nil)
	leaf := sign(f, root, leafTemplate(alice.String()))
	f.Add(leaf.pem(), "", root.pem())
	f.Add(leaf.pem(), root.pem(), root.pem()+root.pem())
	f.Add("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "x", "")
	f.Fuzz(func(t *testing.T, first, middle, last string) {
		chain := []string{first, middle, last}
		if middle == "" {
			chain = []string{first, last}
		}
		c, err := ParseChain(alice, leaf.key, chain)
		if err != nil {
			return
		}
		if !leaf.cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }).Equal(c.leaf.PublicKey) {
			t.Fatal("accepted a leaf of another key")
		}
		if len(c.Chain()) != len(chain)-1 || len(c.Roots()) == 0 || c.anchors.count+len(c.Skipped) != len(c.Roots()) {
			t.Fatalf("%d presented, %d roots, %d anchors, %d skipped", len(c.Chain()), len(c.Roots()), c.anchors.count, len(c.Skipped))
		}
		Identities(c.leaf)
		_ = c.CheckIdentity()
		_ = c.verifyChain([]*x509.Certificate{c.leaf}, x509.ExtKeyUsageClientAuth, c.NotBefore, nil)
	})
}
