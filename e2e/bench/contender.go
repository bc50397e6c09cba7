package main

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/troupe-mesh/troupe/e2e/bench/load"
)

// contender is a pair of proxies, or one, and the way through them.
type contender struct {
	name    string
	proxies []*process
	way     load.Way
}

// Each contender has loopback addresses of its own: 1 for its client's side, 2 for its server's side and the application
// behind it, 9 for an application that no mesh knows.
func address(place, host byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, place, host}) }

// start starts a contender by name.
func (p *plan) start(name string, place byte) (c *contender, err error) {
	c = &contender{name: name, way: load.Way{
		Proxy: address(place, 1).String() + ":15080", App: netip.AddrPortFrom(address(place, 2), p.appPort),
	}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting contender %s: %w", name, err), c.end())
		}
	}()
	switch name {
	case "v1", "thin":
		peer := address(place, 2).String() + ":15008"
		if err := c.add(startRole(role{Kind: name + "-server", Listen: peer, CADir: p.caDir})); err != nil {
			return c, err
		}
		return c, c.add(startRole(role{Kind: name + "-client", Listen: c.way.Proxy, Peer: peer, CADir: p.caDir}))
	case "troupe":
		if err := c.add(p.startTroupe(place, "server", 2)); err != nil {
			return c, err
		}
		return c, c.add(p.startTroupe(place, "client", 1))
	case untraced, sampled, traced:
		if err := c.add(p.startTroupe(place, "server", 2, p.tracing(name)...)); err != nil {
			return c, err
		}
		return c, c.add(p.startTroupe(place, "client", 1, p.tracing(name)...))
	case "splice":
		c.way.App = netip.AddrPortFrom(address(place, 9), p.appPort)
		return c, c.add(startRole(role{Kind: "splice", Listen: c.way.Proxy}))
	case "troupe-plain":
		c.way.App = netip.AddrPortFrom(address(place, 9), p.appPort)
		return c, c.add(p.startTroupe(place, "client", 1))
	default:
		return c, errors.New("there is none of that name; there are v1, thin, troupe, splice, troupe-plain")
	}
}

func (c *contender) add(p *process, err error) error {
	if err != nil {
		return err
	}
	c.proxies = append(c.proxies, p)
	return nil
}

func (c *contender) end() error {
	var err error
	for _, p := range c.proxies {
		err = errors.Join(err, p.end())
	}
	return err
}
