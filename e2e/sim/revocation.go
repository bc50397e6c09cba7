package sim

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
)

// revokes is the stream of what is drawn here.
const revokes = 1 << 16

const (
	// rereads is how long after a change nodes read their lists (spec/control.md §5.10).
	rereads = 2 * time.Second
	// reminds is after how long a crash on the way to who must cut a tunnel is made good.
	reminds = 10 * time.Second
	// revokedText is what the log says of what was cut.
	revokedText = "connection closed: peer certificate revoked by CRL"
)

// revocation is what a life has of revocation lists.
type revocation struct {
	// whose certificates are revoked; empty where the nodes have no lists.
	whose string
	// at is when, long after how long they no longer are; zero is never.
	at, long time.Duration
	// listed says that the nodes have a list from the start, in which there is nobody; otherwise the file comes later.
	listed bool
}

// drawRevocation has a quarter of lives revoke the certificates of a node. Those that renew certificates all the time, and
// those in shared mode, do without.
func drawRevocation(seed uint64, p *Plan) {
	r := rand.New(rand.NewPCG(seed, revokes))
	if p.shared || p.renewals || r.IntN(4) > 0 {
		return
	}
	p.revocation = revocation{whose: pick(r, meshed), at: instant(r, traffic), listed: r.IntN(2) == 0}
	if r.IntN(2) == 0 {
		p.long = rereads + instant(r, 20*time.Second)
	}
	what := fmt.Sprintf("the certificates of %s are revoked", p.whose)
	if p.long > 0 {
		what += fmt.Sprintf(" for %v", p.long)
	}
	p.weather = append(p.weather, step{p.at, what, (*life).revoke})
}

// registrar is the CA of a life with revocation lists: it knows what it has signed for whom, and signs nothing for whose
// certificates are revoked.
type registrar struct {
	identity.Signer
	mu      sync.Mutex
	serials map[messages.Identity][]*big.Int
	revoked map[messages.Identity]bool
	lists   []*bubble.Lists
	// written is when the lists named somebody, lifted when they no longer did; zero is not yet.
	written, lifted time.Time
}

var errRevoked = errors.New("the CA signs nothing for whose certificates are revoked")

// Sign signs for everybody else.
func (g *registrar) Sign(ctx context.Context, csr []byte, id messages.Identity) ([]string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.revoked[id] {
		return nil, errRevoked
	}
	chain, err := g.Signer.Sign(ctx, csr, id)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode([]byte(chain[0]))
	if block == nil {
		return nil, errors.New("the authority's certificate is not PEM")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	g.serials[id] = append(g.serials[id], leaf.SerialNumber)
	return chain, nil
}

// heed gives a node revocation lists, where the life has them.
func (l *life) heed(o *bubble.Options) {
	if l.plan.whose == "" {
		return
	}
	if l.registrar == nil {
		l.registrar = &registrar{
			Signer: l.world.Signer(), serials: map[messages.Identity][]*big.Int{}, revoked: map[messages.Identity]bool{},
		}
	}
	o.Lists, o.Signer = l.world.Lists(), l.registrar
	if l.plan.listed {
		o.Lists.RevokeSerials()
	}
	l.registrar.lists = append(l.registrar.lists, o.Lists)
}

// revoke has every node's list name all certificates of the one, and perhaps nobody again later.
func (l *life) revoke() {
	g, id := l.registrar, bubble.Identity(l.plan.whose)
	g.mu.Lock()
	g.revoked[id] = true
	serials := slices.Clone(g.serials[id])
	g.mu.Unlock()
	g.written = time.Now()
	for _, list := range g.lists {
		list.RevokeSerials(serials...)
	}
	if l.plan.long == 0 {
		return
	}
	<-time.After(l.plan.long)
	g.lifted = time.Now()
	for _, list := range g.lists {
		list.RevokeSerials()
	}
	g.mu.Lock()
	g.revoked[id] = false
	g.mu.Unlock()
}

// heeded is when all nodes must have taken a list in that names somebody and have cut what they cut by it.
func (l *life) heeded() time.Time {
	at := l.registrar.written.Add(rereads + l.slack())
	if l.plan.trouble.actors {
		at = at.Add(reminds)
	}
	return at
}

// mayMeetRevocation reports whether a revoked certificate may have stood in the way of a call.
func (l *life) mayMeetRevocation(c *spoken) bool {
	g := l.registrar
	if g == nil || g.written.IsZero() || c.end.Before(g.written) {
		return false
	}
	if !g.lifted.IsZero() && c.start.After(g.lifted.Add(rereads+l.slack())) {
		return false
	}
	return c.from == l.plan.whose || slices.Contains(l.mayReach(c), l.plan.whose)
}

// checkRevocation checks that nothing was connected by a certificate that the lists name, nor stayed so, and that the log
// says why.
func (l *life) checkRevocation() {
	g := l.registrar
	if g == nil || g.written.IsZero() {
		return
	}
	heeded := l.heeded()
	if !g.lifted.IsZero() && !heeded.Before(g.lifted) {
		return // nobody need have noticed
	}
	for _, s := range l.apps.all {
		from := caller(s.peer)
		if s.id >= 0 {
			from = l.spoken[s.id].from
		}
		if from == s.host || !slices.Contains(meshed, from) || !slices.Contains(meshed, s.host) || from != l.plan.whose && s.host != l.plan.whose {
			continue
		}
		switch {
		case s.accepted.After(heeded) && (g.lifted.IsZero() || s.accepted.Before(g.lifted)):
			l.fail("call %d from %s to %s:%d was connected at +%v, and the certificate of %s was revoked at +%v",
				s.id, from, s.host, s.port, s.accepted.Sub(l.begun), l.plan.whose, g.written.Sub(l.begun))
		case s.accepted.Before(heeded):
			l.checkCutByRevocation(s, from, heeded)
		}
	}
}

// checkCutByRevocation checks a connection that was there when the lists came. Whose certificate it is does not judge
// itself: where that is the called node, it hears of the cut by the network.
func (l *life) checkCutByRevocation(s *served, from string, heeded time.Time) {
	g := l.registrar
	if s.over.After(heeded) && !(s.host == l.plan.whose && l.plan.trouble.network) {
		l.fail("call %d from %s to %s:%d lived until +%v, and the certificate of %s was revoked at +%v",
			s.id, from, s.host, s.port, s.over.Sub(l.begun), l.plan.whose, g.written.Sub(l.begun))
		return
	}
	if l.plan.trouble != (trouble{}) || s.id < 0 || s.gotEnd || s.over.Before(g.written.Add(rereads)) || s.port == portResets {
		return
	}
	c := l.spoken[s.id]
	if _, all := l.model.verdicts(from, s.host, s.port, c.start, c.end); !all || c.habit == quitter || from == l.plan.whose {
		return
	}
	if why := field(l.lineOf(c), "error"); why != revokedText {
		l.fail("%v was cut at +%v, when %s was revoked, and its line says %q", c.call, s.over.Sub(l.begun), l.plan.whose, why)
	}
}
