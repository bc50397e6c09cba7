package mtls

import (
	"testing"

	"github.com/troupe-mesh/troupe/messages"
)

func TestHandshakeBetweenTwoWorkloadsOfOneAuthority(t *testing.T) {
	authority, err := NewAuthority(AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	obtain := func(id messages.Identity) *Certificate {
		csr, key, err := NewCSR(id)
		if err != nil {
			t.Fatal(err)
		}
		chain, err := authority.Issue(csr)
		if err != nil {
			t.Fatal(err)
		}
		c, err := ParseChain(id, key, chain)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.CheckIdentity(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	expected := []messages.Identity{alice, bob}
	o := handshake(t, obtain(alice).ClientConfig(expected, Options{}), obtain(bob).ServerConfig(Options{}))
	if !o.ok() {
		t.Fatal(o.err())
	}
	if id, ok := PeerIdentity(o.serverState); !ok || id != alice {
		t.Errorf("server sees %v, %v", id, ok)
	}
	if id, ok := PeerIdentity(o.clientState); !ok || id != bob {
		t.Errorf("client sees %v, %v", id, ok)
	}
	if id, ok := MatchedIdentity(o.clientState, expected); !ok || id != bob {
		t.Errorf("client matched %v, %v", id, ok)
	}
}
