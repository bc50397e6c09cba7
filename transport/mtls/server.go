package mtls

import (
	"crypto/tls"
	"slices"
)

// serverVariants is how many server configurations one certificate keeps: with and without TLS 1.2 and PQC.
const serverVariants = 4

// refusedALPN is a protocol nobody speaks: a server that offers only this one answers no_application_protocol.
const refusedALPN = "troupe-refuses"

// ServerConfig is for accepting tunnels with this certificate (spec/control.md §5.8). The client must present a
// certificate that leads to our roots and whose first SPIFFE id is of our own trust domain; a handshake that fails
// for this returns a *PeerError. A client that offers ALPN must offer h2; one that offers none is served.
//
// It is kept and shared: asking for it on every connection costs nothing, and it must not be changed. With a clock in
// o it is made anew.
func (c *Certificate) ServerConfig(o Options) *tls.Config {
	if o.Now != nil {
		return c.newServerConfig(o)
	}
	i := 0
	if o.TLS12 {
		i |= 1
	}
	if o.PQC {
		i |= 2
	}
	kept := c.servers[i].Load()
	if kept == nil || kept.revocations != o.Revocations { // of one process they are always the same
		kept = &serverVariant{config: c.newServerConfig(o), revocations: o.Revocations}
		c.servers[i].Store(kept)
	}
	return kept.config
}

// serverVariant is a server configuration that is kept.
type serverVariant struct {
	config      *tls.Config
	revocations *Revocations
}

func (c *Certificate) newServerConfig(o Options) *tls.Config {
	s := o.base(groupsClassical)
	s.Certificates = []tls.Certificate{c.pair}
	// The roots are named to the client, and the chain is verified by verifyClient alone.
	s.ClientAuth = tls.RequireAnyClientCert
	s.ClientCAs = c.anchors.pool
	s.VerifyConnection = func(cs tls.ConnectionState) error { return c.verifyClient(cs, o) }

	refusing := s.Clone()
	refusing.NextProtos = []string{refusedALPN}
	postQuantum := s.Clone()
	postQuantum.CurvePreferences = groupsPostQuantum
	s.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		switch {
		case len(hello.SupportedProtos) > 0 && !slices.Contains(hello.SupportedProtos, alpnH2):
			return refusing, nil
		case !o.PQC && onlyPostQuantum(hello.SupportedCurves):
			return postQuantum, nil
		default:
			return nil, nil //nolint:nilnil // crypto/tls takes this as: no other configuration
		}
	}
	return s
}

func onlyPostQuantum(groups []tls.CurveID) bool {
	return slices.Contains(groups, tls.X25519MLKEM768) &&
		!slices.ContainsFunc(groups, func(g tls.CurveID) bool { return slices.Contains(groupsClassical, g) })
}
