package flow

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

// judge looks whether the far end of a double HBONE's inner tunnel is still to be trusted, and cuts the flow if it is not.
// It returns the version of the revocation lists that it looked into, and false when there is nothing to look after. The
// outer tunnel is the pool's.
func (t *tunnel) judge(ctx actor.Context) (version uint64, ok bool) {
	if t.over || t.leg == nil || t.leg.inner == nil {
		return 0, false
	}
	version, err := t.leg.inner.Judge()
	if err == nil {
		return version, true
	}
	t.Telemetry.PeerRevoked(messages.Outbound, t.rec.Dst, t.leg.inner.Identity(), err)
	t.leg.inner = nil
	t.closeFlow(ctx, &messages.CloseFlow{Failure: messages.Revoked(err)})
	return version, false
}
