package grpcdial

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// serverTLS verifies the server by the roots and by host, or by the alternative name where there is one. The name in the
// ClientHello is host, none where that is an IP address (spec/control.md §2.2).
func (c Config) serverTLS(host string) (*tls.Config, error) {
	pool, err := c.Roots.Pool()
	if err != nil {
		return nil, err
	}
	t := c.TLS.ControlPlane()
	t.ServerName = host
	t.RootCAs = pool
	t.InsecureSkipVerify = true // verify does it, for two names and with better errors
	t.VerifyConnection = func(s tls.ConnectionState) error { return c.verify(s, pool, host) }
	return t, nil
}

var errNoServerCertificate = errors.New("the server presented no certificate")

func (c Config) verify(s tls.ConnectionState, pool *x509.CertPool, host string) error {
	if len(s.PeerCertificates) == 0 {
		return errNoServerCertificate
	}
	leaf := s.PeerCertificates[0]
	intermediates := x509.NewCertPool()
	for _, i := range s.PeerCertificates[1:] {
		intermediates.AddCert(i)
	}
	o := x509.VerifyOptions{Roots: pool, Intermediates: intermediates}
	if c.TLS.Now != nil {
		o.CurrentTime = c.TLS.Now()
	}
	if _, err := leaf.Verify(o); err != nil {
		return fmt.Errorf("verify the certificate of %s against %s: %w", host, c.Roots, err)
	}
	err := leaf.VerifyHostname(host)
	if err != nil && c.AltHostname != "" && leaf.VerifyHostname(c.AltHostname) == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("verify the certificate of %s: %w", host, err)
	}
	return nil
}
