package main

import (
	"net"
	"net/netip"

	"github.com/troupe-mesh/troupe/e2e/bench/entry"
	"github.com/troupe-mesh/troupe/e2e/bench/load"
	"github.com/troupe-mesh/troupe/e2e/bench/thin"
	"github.com/troupe-mesh/troupe/e2e/bench/v1"
)

// listen is for roles that take a listener.
func (r role) listen(ready func(), serve func(net.Listener) error) error {
	listener, err := net.Listen("tcp", r.Listen)
	if err != nil {
		return err
	}
	ready()
	return serve(listener)
}

func (r role) application(ready func()) error { return r.listen(ready, load.Serve) }

func (r role) splice(ready func()) error { return r.listen(ready, splice) }

func (r role) v1Client(ready func()) error {
	config, err := clientTLS(r.CADir)
	if err != nil {
		return err
	}
	client := v1.Client{Entry: entry.Accept, Peer: func(string) string { return r.Peer }, TLS: config}
	return r.listen(ready, client.Serve)
}

func (r role) v1Server(ready func()) error {
	config, err := serverTLS(r.CADir)
	if err != nil {
		return err
	}
	return r.listen(ready, (&v1.Server{TLS: config}).Serve)
}

func (r role) thinClient(ready func()) error {
	config, err := clientTLS(r.CADir)
	if err != nil {
		return err
	}
	peer, err := netip.ParseAddrPort(r.Peer)
	if err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(r.Listen)
	if err != nil {
		return err
	}
	return (&thin.Client{Entry: entry.Accept, Peer: peer, TLS: config}).Serve(at, ready)
}

func (r role) thinServer(ready func()) error {
	config, err := serverTLS(r.CADir)
	if err != nil {
		return err
	}
	at, err := netip.ParseAddrPort(r.Listen)
	if err != nil {
		return err
	}
	return (&thin.Server{TLS: config}).Serve(at, ready)
}
