package identity

import (
	"fmt"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

var begin = time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC)

// at is a moment of a test without a bubble.
func at(d time.Duration) time.Time { return begin.Add(d) }

func identityOf(n int) messages.Identity {
	return messages.Identity{TrustDomain: "cluster.local", Namespace: "default", ServiceAccount: fmt.Sprintf("id%d", n)}
}

// made is a certificate that begins at from and lives for life.
func made(t testing.TB, id messages.Identity, from time.Time, life time.Duration) *mtls.Certificate {
	t.Helper()
	a, err := mtls.NewAuthority(mtls.AuthorityOptions{Lifetime: life, Now: func() time.Time { return from }})
	if err != nil {
		t.Fatal(err)
	}
	csr, key, err := mtls.NewCSR(id)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := a.Issue(csr)
	if err != nil {
		t.Fatal(err)
	}
	c, err := mtls.ParseChain(id, key, chain)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newTestManager(edit func(*Config)) *manager {
	c := Config{Signer: Local(nil), Random: func() float64 { return 0 }}
	if edit != nil {
		edit(&c)
	}
	return newManager(c.normalized())
}

// asker is somebody's question.
func asker(id uint64) waiter { return waiter{asker: &actor.PID{Id: "asker"}, id: id} }

// begun lists the identities whose attempts begin.
func begun(m *manager, now time.Time) []messages.Identity {
	var ids []messages.Identity
	for _, a := range m.begin(now) {
		ids = append(ids, a.id)
	}
	return ids
}
