package mtls

import (
	"crypto/tls"
	"slices"

	"github.com/troupe-mesh/troupe/messages"
)

// ClientConfig is for dialling a tunnel with this certificate (spec/control.md §5.9). The server must present a
// certificate that leads to our roots and carries one of the expected ids exactly; an empty list accepts nobody. A
// handshake that fails for this returns a *PeerError. No SNI is sent, nothing resumes. MatchedIdentity tells who
// answered.
//
// Making it is a few small allocations, so one may be made for every dial.
func (c *Certificate) ClientConfig(expected []messages.Identity, o Options) *tls.Config {
	expected = slices.Clone(expected)
	t := o.base(groupsAll)
	// The host name, which there is none of, is what this turns off; verifyServer does the rest.
	t.InsecureSkipVerify = true
	t.VerifyConnection = func(cs tls.ConnectionState) error { return c.verifyServer(cs, expected, o) }
	// Always ours, whichever roots the server names: during a root rotation the names differ.
	t.GetClientCertificate = c.clientCertificate
	return t
}

func (c *Certificate) clientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return &c.pair, nil
}
