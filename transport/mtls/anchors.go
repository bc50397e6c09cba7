package mtls

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// anchors are the roots that chains may end in.
type anchors struct {
	pool  *x509.CertPool
	count int
}

// forever ends the validity of a trust anchor, the last moment that X.509 can say.
var forever = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)

// newAnchors makes trust anchors of roots. Those that can't be one are left out, with the reason.
func newAnchors(roots []*x509.Certificate) (*anchors, []error) {
	a := &anchors{pool: x509.NewCertPool()}
	var skipped []error
	for _, r := range roots {
		if err := maySign(r); err != nil {
			skipped = append(skipped, fmt.Errorf("root %q, serial number %s: %w", r.Subject, r.SerialNumber, err))
			continue
		}
		a.pool.AddCert(bare(r))
		a.count++
	}
	return a, skipped
}

// bare is a root without what an anchor is not asked about, see the package comment.
func bare(root *x509.Certificate) *x509.Certificate {
	c := *root
	c.NotBefore, c.NotAfter = time.Time{}, forever
	c.ExtKeyUsage, c.UnknownExtKeyUsage = nil, nil
	c.MaxPathLen, c.MaxPathLenZero = -1, false
	c.KeyUsage = 0 // maySign has asked for what matters: a root's own lists are believed, as webpki does
	return &c
}

func maySign(root *x509.Certificate) error {
	if root.Version >= 3 && (!root.BasicConstraintsValid || !root.IsCA) {
		return errors.New("not a CA")
	}
	if root.KeyUsage != 0 && root.KeyUsage&x509.KeyUsageCertSign == 0 {
		return errors.New("its key usage forbids signing certificates")
	}
	if len(root.UnhandledCriticalExtensions) > 0 {
		return fmt.Errorf("unknown critical extension %s", root.UnhandledCriticalExtensions[0])
	}
	return nil
}
