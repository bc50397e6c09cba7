package mtls

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseRevocationLists(t *testing.T) {
	root := newRoot(t, "root", nil)
	one, two := sign(t, root, leafTemplate(alice.String())), sign(t, root, leafTemplate(bob.String()))
	first, second := revoke(t, root, nil, one), revoke(t, root, nil, one, two)
	whole := crlPEM(first, second)
	for _, tt := range []struct {
		name    string
		content []byte
		lists   int
		revoked int
		err     string
	}{
		{"empty", nil, 0, 0, ""},
		{"one", crlPEM(first), 1, 1, ""},
		{"several", whole, 2, 3, ""},
		{"DER", second, 1, 2, ""},
		{"among certificates", append([]byte(root.pem()), whole...), 2, 3, ""},
		{"PEM without lists", []byte(root.pem()), 0, 0, ""},
		{"no entries", crlPEM(revoke(t, root, nil)), 1, 0, ""},
		{"over", crlPEM(revoke(t, root, func(l *x509.RevocationList) { l.NextUpdate = time.Now().Add(-time.Minute) }, one)), 1, 1, ""},
		{"not a list", []byte("not a valid CRL"), 0, 0, "malformed crl"},
		{"white space", []byte("\n"), 0, 0, "malformed crl"},
		{"cut short", whole[:len(whole)-20], 0, 0, "1 of 2 PEM blocks can't be read"},
		{"not base64", bytes.Replace(crlPEM(first), []byte("\nM"), []byte("\n!"), 1), 0, 0, "1 of 1 PEM blocks"},
		{"a certificate in its place", crlPEM(root.cert.Raw), 0, 0, "revocation list 1: "},
		{"one of two is broken", crlPEM(first, second[:40]), 0, 0, "revocation list 2: "},
		{"delta", crlPEM(revoke(t, root, extension(oidDeltaIndicator, true, []byte{2, 1, 1}))), 0, 0, "a delta list"},
		{"unknown critical extension", crlPEM(revoke(t, root, extension(asn1.ObjectIdentifier{1, 2, 3}, true, []byte{5, 0}))), 0, 0, "unknown critical extension 1.2.3"},
		{"unknown extension", crlPEM(revoke(t, root, extension(asn1.ObjectIdentifier{1, 2, 3}, false, []byte{5, 0}))), 1, 0, ""},
		{"indirect", crlPEM(revoke(t, root, point(t, issuingPoint{Indirect: true}))), 0, 0, "an indirect list"},
		{"attributes", crlPEM(revoke(t, root, point(t, issuingPoint{Attributes: true}))), 0, 0, "about no certificate"},
		{"some reasons", crlPEM(revoke(t, root, point(t, issuingPoint{Reasons: asn1.BitString{Bytes: []byte{0x40}, BitLength: 2}}))), 0, 0, "some reasons"},
		{"users", crlPEM(revoke(t, root, point(t, issuingPoint{OnlyUsers: true}))), 1, 0, ""},
		{"broken point", crlPEM(revoke(t, root, extension(oidIssuingPoint, true, []byte{0x30, 9}))), 0, 0, "issuingDistributionPoint"},
		{"indirect entry", crlPEM(revoke(t, root, entryExtension(oidCertificateIssuer, true), one)), 0, 0, "an indirect list"},
		{"unknown critical entry", crlPEM(revoke(t, root, entryExtension(asn1.ObjectIdentifier{1, 2, 3}, true), one)), 0, 0, "unknown critical extension 1.2.3"},
		{"entry with its date", crlPEM(revoke(t, root, entryExtension(oidInvalidityDate, false), one)), 1, 1, ""},
		{"too large", bytes.Repeat([]byte{' '}, maxRevocationFile+1), 0, 0, "want at most"},
		{"too many", bytes.Repeat(crlPEM(revoke(t, root, nil)), maxLists+1), 0, 0, "more than 1024"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := ParseRevocationLists(tt.content)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v: want %q", err, tt.err)
				}
				return
			}
			if err != nil || l.Len() != tt.lists || l.Revoked() != tt.revoked {
				t.Fatalf("%v, %v: want %d lists with %d entries", l, err, tt.lists, tt.revoked)
			}
		})
	}
}

// entryExtension adds one to every entry of a list.
func entryExtension(oid asn1.ObjectIdentifier, critical bool) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		other := &x509.RevocationList{}
		extension(oid, critical, []byte{5, 0})(other)
		for i := range l.RevokedCertificateEntries {
			l.RevokedCertificateEntries[i].ExtraExtensions = other.ExtraExtensions
		}
	}
}

// TestCheckRevocation has a chain of two CAs and a leaf, and lists about them.
func TestCheckRevocation(t *testing.T) {
	root := newRoot(t, "root", nil)
	upper := sign(t, root, caTemplate("upper", nil))
	lower := sign(t, upper, caTemplate("lower", nil))
	silent := sign(t, root, caTemplate("upper", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }))
	leaf := sign(t, lower, leafTemplate(alice.String()))
	other := sign(t, lower, leafTemplate(bob.String()))
	published := leafTemplate(alice.String())
	published.CRLDistributionPoints = []string{"http://crl/1"}
	publishedLeaf := sign(t, lower, published)
	twin := newRoot(t, "lower", nil) // the same name, another key
	chain := func(l *issuer, cas ...*issuer) []*x509.Certificate {
		all := []*x509.Certificate{l.cert}
		for _, ca := range cas {
			all = append(all, ca.cert)
		}
		return all
	}
	usual := chain(leaf, lower, upper, root)
	for _, tt := range []struct {
		name  string
		lists [][]byte
		chain []*x509.Certificate
		want  string // revoked, bad, or nothing
	}{
		{"none", nil, usual, ""},
		{"the leaf", [][]byte{revoke(t, lower, nil, leaf)}, usual, "revoked"},
		{"another leaf", [][]byte{revoke(t, lower, nil, other)}, usual, ""},
		{"the lower CA", [][]byte{revoke(t, upper, nil, lower)}, usual, "revoked"},
		{"the upper CA", [][]byte{revoke(t, root, nil, upper)}, usual, "revoked"},
		{"the root", [][]byte{revoke(t, root, nil, root)}, usual, ""},
		{"the leaf by the root", [][]byte{revoke(t, root, nil, leaf)}, usual, ""},
		{"over", [][]byte{revoke(t, lower, func(l *x509.RevocationList) { l.NextUpdate = time.Now().Add(-time.Minute) }, leaf)}, usual, "revoked"},
		{"another CA of the lower one's name", [][]byte{revoke(t, upper, nil, sign(t, upper, caTemplate("lower", nil)))}, usual, ""},
		{"unknown issuer", [][]byte{revoke(t, newRoot(t, "stranger", nil), nil, leaf)}, usual, ""},
		{"a namesake's", [][]byte{revoke(t, twin, nil)}, usual, "bad"},
		{"a namesake's first", [][]byte{revoke(t, twin, nil), revoke(t, lower, nil, leaf)}, usual, "bad"},
		{"a namesake's second", [][]byte{revoke(t, lower, nil), revoke(t, twin, nil, leaf)}, usual, ""},
		{"the first counts", [][]byte{revoke(t, lower, nil), revoke(t, lower, nil, leaf)}, usual, ""},
		{"issuer may not sign lists", [][]byte{revoke(t, silent, nil)}, chain(sign(t, silent, leafTemplate(alice.String())), silent, root), "bad"},
		{"only leafs, the leaf", [][]byte{revoke(t, lower, point(t, issuingPoint{OnlyUsers: true}), leaf)}, usual, "revoked"},
		{"only leafs, a CA", [][]byte{revoke(t, upper, point(t, issuingPoint{OnlyUsers: true}), lower)}, usual, ""},
		{"only CAs, a CA", [][]byte{revoke(t, upper, point(t, issuingPoint{OnlyCAs: true}), lower)}, usual, "revoked"},
		{"only CAs, the leaf", [][]byte{revoke(t, lower, point(t, issuingPoint{OnlyCAs: true}), leaf)}, usual, ""},
		{"only CAs before all", [][]byte{revoke(t, lower, point(t, issuingPoint{OnlyCAs: true})), revoke(t, lower, nil, leaf)}, usual, "revoked"},
		{"published, leaf without a point", [][]byte{revoke(t, lower, point(t, issuingPoint{}, "http://crl/1"), leaf)}, usual, "revoked"},
		{"published there", [][]byte{revoke(t, lower, point(t, issuingPoint{}, "http://crl/1"), publishedLeaf)}, chain(publishedLeaf, lower, upper, root), "revoked"},
		{"published elsewhere", [][]byte{revoke(t, lower, point(t, issuingPoint{}, "http://crl/2"), publishedLeaf)}, chain(publishedLeaf, lower, upper, root), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := lists(t, crlPEM(tt.lists...))
			for range 2 { // the second time signatures are remembered
				err := l.check(tt.chain)
				var revoked *RevokedError
				var bad *RevocationListError
				if errors.As(err, &revoked) != (tt.want == "revoked") || errors.As(err, &bad) != (tt.want == "bad") || (err == nil) != (tt.want == "") {
					t.Fatalf("check: %v: want %q", err, tt.want)
				}
				if tt.want == "revoked" && !l.mayName(tt.chain) {
					t.Error("a quick look did not see it")
				}
			}
		})
	}
}

func TestNegativeSerialNumbersAreApart(t *testing.T) {
	if serialKey(big.NewInt(5)) == serialKey(big.NewInt(-5)) {
		t.Error("5 and -5 are the same")
	}
}

// TestARootsOwnKeyUsageDoesNotSpoilItsList: an anchor is not asked whether it may sign lists, as webpki does not.
func TestARootsOwnKeyUsageDoesNotSpoilItsList(t *testing.T) {
	root := newRoot(t, "root", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign })
	leaf, spared := sign(t, root, leafTemplate(alice.String())), sign(t, root, leafTemplate(bob.String()))
	own := workload(t, root, bob)
	l := lists(t, crlPEM(revoke(t, root, nil, leaf)))
	err := own.verifyChain([]*x509.Certificate{leaf.cert}, x509.ExtKeyUsageClientAuth, time.Now(), l)
	var revoked *RevokedError
	if !errors.As(err, &revoked) {
		t.Errorf("listed: %v", err)
	}
	if err := own.verifyChain([]*x509.Certificate{spared.cert}, x509.ExtKeyUsageClientAuth, time.Now(), l); err != nil {
		t.Errorf("not listed: %v", err)
	}
}

// TestAnotherWayIsEnough has a CA with two certificates of which one is revoked.
func TestAnotherWayIsEnough(t *testing.T) {
	one, two := newRoot(t, "one", nil), newRoot(t, "two", nil)
	ca := sign(t, one, caTemplate("ca", nil))
	crossed := cross(t, two, ca)
	leaf := sign(t, ca, leafTemplate(alice.String()))
	own := certificate(t, bob, sign(t, one, leafTemplate(bob.String())), bundle(one, two))
	now, chain := time.Now(), []*x509.Certificate{leaf.cert, ca.cert, crossed.cert}
	half := lists(t, crlPEM(revoke(t, one, nil, ca)))
	if err := own.verifyChain(chain, x509.ExtKeyUsageClientAuth, now, half); err != nil {
		t.Errorf("one of two ways is revoked: %v", err)
	}
	if err := own.verifyChain(chain[:2], x509.ExtKeyUsageClientAuth, now, half); err == nil {
		t.Error("the only way is revoked, and the peer is accepted")
	}
	both := lists(t, crlPEM(revoke(t, one, nil, ca), revoke(t, two, nil, crossed)))
	if err := own.verifyChain(chain, x509.ExtKeyUsageClientAuth, now, both); err == nil {
		t.Error("both ways are revoked, and the peer is accepted")
	}
	unrelated := sign(t, two, caTemplate("unrelated", nil))
	junk := slices.Insert(slices.Clone(chain[:2]), 1, unrelated.cert)
	if err := own.verifyChain(junk, x509.ExtKeyUsageClientAuth, now, half); err == nil {
		t.Error("junk in the chain hides that it is revoked")
	}
}

// cross is another certificate for ca's key and name, by another root.
func cross(t *testing.T, by, ca *issuer) *issuer {
	t.Helper()
	template := caTemplate(ca.cert.Subject.CommonName, nil)
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(77), ca.cert.NotBefore, ca.cert.NotAfter
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, ca.key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &issuer{key: ca.key, cert: c}
}

func FuzzParseRevocationLists(f *testing.F) {
	root := newRoot(f, "root", nil)
	leaf := sign(f, root, leafTemplate(alice.String()))
	der := revoke(f, root, point(f, issuingPoint{OnlyUsers: true}, "http://crl/1"), leaf)
	f.Add(der)
	f.Add(crlPEM(der, der[:50]))
	f.Add([]byte(root.pem()))
	f.Fuzz(func(_ *testing.T, content []byte) {
		l, err := ParseRevocationLists(content)
		if err == nil {
			_ = l.check([]*x509.Certificate{leaf.cert, root.cert})
			_ = l.mayName([]*x509.Certificate{leaf.cert})
		}
	})
}
