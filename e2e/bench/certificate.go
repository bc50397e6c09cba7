package main

import (
	"crypto/tls"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// clientTLS is the client's side of mutual TLS, by the authority in dir. All contenders have the same.
func clientTLS(dir string) (*tls.Config, error) {
	own, err := certificate(dir, clientIdentity)
	if err != nil {
		return nil, err
	}
	server, err := messages.ParseIdentity(serverIdentity)
	if err != nil {
		return nil, err
	}
	return own.ClientConfig([]messages.Identity{server}, mtls.Options{}), nil
}

func serverTLS(dir string) (*tls.Config, error) {
	own, err := certificate(dir, serverIdentity)
	if err != nil {
		return nil, err
	}
	return own.ServerConfig(mtls.Options{}), nil
}

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
	return mtls.ParseChain(id, key, chain)
}
