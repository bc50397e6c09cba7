package proxy

import (
	"fmt"

	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/ca"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// newSigner is who signs our certificates: the CA of CA_ADDRESS or, under FAKE_CA, the built-in authority, of this process
// or shared through a directory. close ends it.
func (p *Proxy) newSigner() (signer identity.Signer, close func(), err error) {
	c := p.config
	if !c.FakeCA {
		return p.newCAClient()
	}
	o := mtls.AuthorityOptions{Lifetime: c.SecretTTL}
	var a *mtls.Authority
	if c.FakeCADir == "" {
		a, err = mtls.NewAuthority(o)
	} else if a, err = mtls.SharedAuthority(c.FakeCADir, o); err != nil {
		err = fmt.Errorf("the shared authority in FAKE_CA_DIR: %w", err)
	}
	if err != nil {
		return nil, nil, err
	}
	return identity.Local(a), func() {}, nil
}

func (p *Proxy) newCAClient() (identity.Signer, func(), error) {
	c, log := p.config, p.logs.Scope("ztunnel::identity::caclient")
	client, err := ca.New(ca.Config{
		Server: dialed(c, c.CAAddress, c.CARootCert, c.AltCAHostname, c.CAHeaders), TTL: c.SecretTTL, Impersonate: c.ProxyMode == config.Shared,
		Warn: func(err error) { log.Warn("failed to rebuild the connection to the CA").Err(err).Send() },
	})
	if err != nil {
		return nil, nil, fmt.Errorf("CA_ADDRESS=%s: %w", c.CAAddress, err)
	}
	return client, client.Close, nil
}

// identityConfig is the secret manager's. In shared mode a certificate must be for whom it was asked; a dedicated proxy
// takes the one that the CA gives it (spec/control.md §5.3).
func (p *Proxy) identityConfig(s identity.Signer) identity.Config {
	return identity.Config{
		Signer: s, CheckIdentity: p.config.ProxyMode == config.Shared, Log: p.logs.Scope("ztunnel::identity::manager"),
		Observe: func(s trace.Signed) (messages.TraceID, messages.SpanID) { return p.telemetry.CertificateSigned(s) },
	}
}
