package mtls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// DefaultLifetime is how long an Authority's certificates live unless told otherwise (spec/control.md §5.7).
const DefaultLifetime = 24 * time.Hour

const (
	rootLifetime = 10 * 365 * 24 * time.Hour
	// maxBackdate is how far before now a certificate begins, for peers whose clocks are slow.
	maxBackdate  = 2 * time.Minute
	organization = "cluster.local"
	serialBits   = 159
)

// AuthorityOptions say how an Authority signs. The zero value is the default.
type AuthorityOptions struct {
	// Lifetime is how long certificates live, at least a second; zero means DefaultLifetime.
	Lifetime time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Authority is a certificate authority in memory: FAKE_CA, for use without a cluster. It signs for whoever asks.
type Authority struct {
	key      crypto.Signer
	root     *x509.Certificate
	rootPEM  string
	lifetime time.Duration
	now      func() time.Time
}

// NewAuthority makes an authority with a root of its own.
func NewAuthority(o AuthorityOptions) (*Authority, error) {
	o, err := o.normalized()
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of a certificate authority: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	now := o.Now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{organization}},
		NotBefore:             now.Add(-maxBackdate),
		NotAfter:              now.Add(rootLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making the root of a certificate authority: %w", err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading the root just made: %w", err)
	}
	return newAuthority(key, root, o), nil
}

func newAuthority(key crypto.Signer, root *x509.Certificate, o AuthorityOptions) *Authority {
	rootPEM := pem.EncodeToMemory(&pem.Block{Type: blockCertificate, Bytes: root.Raw})
	return &Authority{key: key, root: root, rootPEM: string(rootPEM), lifetime: o.Lifetime, now: o.Now}
}

// RootPEM is the authority's root certificate.
func (a *Authority) RootPEM() string { return a.rootPEM }

func (o AuthorityOptions) normalized() (AuthorityOptions, error) {
	if o.Lifetime == 0 {
		o.Lifetime = DefaultLifetime
	}
	if o.Lifetime < time.Second || o.Lifetime > rootLifetime {
		return o, fmt.Errorf("certificate lifetime %v: want 1s to %v", o.Lifetime, rootLifetime)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	if n.Sign() == 0 {
		return nil, errors.New("drawing a serial number: got zero")
	}
	return n, nil
}
