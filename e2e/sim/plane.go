package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// government is how a life's nodes are governed.
type government struct {
	// governed says that each node has a stream to a control plane of its own, instead of being told directly.
	governed bool
	// renewals says that certificates live for lifetime only, and are renewed all the time.
	renewals bool
}

// lifetime is how long certificates live that are renewed, in a life in which the CA is never away for as long.
const lifetime = 20 * time.Second

// drawGovernment draws from a stream of its own: what else a seed makes up stays as it is. Nodes in shared mode are told
// directly.
func drawGovernment(seed uint64, p *Plan) {
	if p.shared {
		return
	}
	r := rand.New(rand.NewPCG(seed, governs))
	p.government = government{governed: r.IntN(2) == 0, renewals: r.IntN(3) == 0}
	if p.governed && r.IntN(3) > 0 {
		for range 1 + r.IntN(4) {
			p.weather = append(p.weather, drawOutage(r))
		}
	}
	if p.renewals && r.IntN(2) == 0 {
		at, long := instant(r, traffic), instant(r, lifetime/2)
		p.weather = append(p.weather, step{at, fmt.Sprintf("the CA is away for %v", long), func(l *life) {
			l.ca.away.Store(true)
			<-time.After(long)
			l.ca.away.Store(false)
		}})
	}
}

// drawOutage is a control plane that goes away for a while, or ends its streams in good order.
func drawOutage(r *rand.Rand) step {
	node, at := pick(r, meshed), instant(r, traffic)
	if r.IntN(2) == 0 {
		return step{at, "the control plane of " + node + " ends its stream", func(l *life) { l.planes[node].Cut(io.EOF) }}
	}
	long := instant(r, 4*time.Second)
	return step{at, fmt.Sprintf("the control plane of %s is away for %v", node, long), func(l *life) {
		l.planes[node].Away(bubble.ErrAway)
		<-time.After(long)
		l.planes[node].Back()
	}}
}

// govern adds to a node's options what the plan says.
func (l *life) govern(node string, o *bubble.Options) {
	if l.plan.governed {
		l.planes[node] = l.world.Plane()
		l.planes[node].Delay(1_000_003 * time.Nanosecond) // so that a request is always sent before the next answer is heard
		o.Plane, o.Source = l.planes[node], nil
	}
	if l.ca != nil {
		o.Signer = l.ca
	}
}

// pushed tells a node by its stream what is different, and waits until it has acknowledged that, however often the stream
// breaks meanwhile.
func (l *life) pushed(node string, old, now *state) {
	const enough = 10 * time.Minute
	p := l.planes[node]
	set, gone := diff(old.workloads, now.workloads)
	policies, lifted := diff(old.policies, now.policies)
	all := now.mesh()
	var m bubble.Mesh
	for _, w := range all.Workloads {
		for _, name := range set {
			if w.Name == name {
				m.Workloads = append(m.Workloads, w)
			}
		}
	}
	for _, key := range policies {
		m.Policies = append(m.Policies, now.policies[key].message())
	}
	p.Change(m.State(), gone, lifted)
	for waited := time.Duration(0); !p.Settled(); waited += look {
		if waited > enough {
			l.fail("control plane: %s has not taken in within %v what it was told", node, enough)
			return
		}
		<-time.After(look)
	}
}

// look is how often somebody looks whether a node has taken in what it was told. It is odd enough for nothing else to happen
// at that instant.
const look = 9_999_991 * time.Nanosecond

// warm has every node have its certificate, in a life in which the CA may be away.
func (l *life) warm() {
	if l.ca == nil && l.registrar == nil {
		return
	}
	for _, name := range meshed {
		n := l.nodes[name]
		fetch := &messages.FetchCertificate{Identity: bubble.Identity(name)}
		if _, err := kit.AskFor[*messages.CertificateFetched](context.Background(), n.System, n.Stores().Certificates, fetch, time.Minute); err != nil {
			l.fail("the first certificate of %s: %v", name, err)
		}
	}
}

// authority is the CA of a life in which certificates are renewed.
type authority struct {
	identity.Signer
	away atomic.Bool
}

var errAway = errors.New("the CA is away")

func newAuthority() (*authority, error) {
	a, err := mtls.NewAuthority(mtls.AuthorityOptions{Lifetime: lifetime})
	if err != nil {
		return nil, err
	}
	return &authority{Signer: identity.Local(a)}, nil
}

// Sign fails while the CA is away.
func (a *authority) Sign(ctx context.Context, csr []byte, id messages.Identity) ([]string, error) {
	if a.away.Load() {
		return nil, errAway
	}
	return a.Signer.Sign(ctx, csr, id)
}
