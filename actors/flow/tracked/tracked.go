// Package tracked subscribes an actor that has tunnels to changes of the revocation lists, so that no tunnel outlives the
// certificate of its peer (spec/dataplane.md §14). The actor judges its peers itself; this is only how it comes to hear
// that it must.
package tracked

import (
	"net/netip"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
)

// patience is after how long a subscription that nobody took is tried again.
const patience = time.Second

// Again says that it is time to subscribe again: the actor passes it to Retry.
type Again struct{}

// Tunnels is one actor's subscription. The zero value is not subscribed.
type Tunnels struct {
	store *actor.PID
}

// Watch subscribes ctx's actor to store, which is nil where there are no revocation lists. Version is that of the lists
// by which its peer was judged.
func (t *Tunnels) Watch(ctx actor.Context, store *actor.PID, version uint64) {
	if store == nil || t.store != nil {
		return
	}
	t.store = store
	ctx.Request(store, &messages.WatchRevocations{Version: version})
}

// Undelivered takes the news that a message found nobody; it reports whether it was about the subscription.
func (t *Tunnels) Undelivered(ctx actor.Context, m *kit.Undelivered) bool {
	switch m.Message.(type) {
	case *messages.WatchRevocations:
		kit.After(ctx, patience, &Again{})
	case *messages.UnwatchRevocations: // it has ended
	default:
		return false
	}
	return true
}

// Retry subscribes again. Whatever has changed meanwhile is told: the version is one that no lists have.
func (t *Tunnels) Retry(ctx actor.Context) {
	if t.store != nil {
		ctx.Request(t.store, &messages.WatchRevocations{})
	}
}

// End ends the subscription.
func (t *Tunnels) End(ctx actor.Context) {
	if t.store != nil {
		ctx.Request(t.store, &messages.UnwatchRevocations{})
		t.store = nil
	}
}

// Unwatched says that there are too many subscribers: the tunnel goes on without being judged again.
func (t *Tunnels) Unwatched(telemetry *trace.Telemetry, d messages.Direction, peer netip.AddrPort) {
	t.store = nil
	telemetry.PeerUntracked(d, peer, "too many connections are")
}
