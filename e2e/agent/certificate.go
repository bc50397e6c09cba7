package agent

import (
	"fmt"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// certificate has the authority that the test's proxies share (FAKE_CA_DIR) issue a certificate for identity.
func certificate(dir, identity string) (*mtls.Certificate, error) {
	id, err := messages.ParseIdentity(identity)
	if err != nil {
		return nil, err
	}
	authority, err := mtls.SharedAuthority(dir, mtls.AuthorityOptions{})
	if err != nil {
		return nil, err
	}
	request, key, err := mtls.NewCSR(id)
	if err != nil {
		return nil, err
	}
	chain, err := authority.Issue(request)
	if err != nil {
		return nil, err
	}
	c, err := mtls.ParseChain(id, key, chain)
	if err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", identity, err)
	}
	return c, nil
}
