package flow

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socks"
)

// socksNegotiated is the end of a SOCKS5 negotiation: what the client wants, or why there is nothing to be had.
type socksNegotiated struct {
	request *socks.Request
	failure *messages.Failure
}

// negotiate reads what a SOCKS5 client wants. The client hears of success only when the upstream is known.
func negotiate(ctx actor.Context, p *passage) {
	conn, timeout := p.entry.Conn, p.Settings.NegotiationDeadline
	kit.Do(ctx, func() any {
		request, err := socks.Negotiate(conn, timeout)
		if err != nil {
			return &socksNegotiated{failure: messages.FailWith(messages.ReasonInvalidRequest, "", err)}
		}
		return &socksNegotiated{request: request}
	})
}

// socksAnswer tells a SOCKS5 client how it went; the zero value, of all other entrances, has nobody to tell.
type socksAnswer struct {
	request *socks.Request
}

// succeeded tells the client that its connection is up; it reports false when the client has left.
func (a socksAnswer) succeeded() bool {
	return a.request == nil || a.request.Reply(socks.Succeeded) == nil
}

// failed tells the client that there is no connection, and of which kind the failure is.
func (a socksAnswer) failed(err error) {
	if a.request == nil {
		return
	}
	code := socks.GeneralFailure
	switch f := messages.AsFailure(err, messages.ReasonConnectFailed); f.Reason {
	case messages.ReasonPolicyDenied, messages.ReasonPolicyDeniedByPeer:
		code = socks.NotAllowed
	case messages.ReasonConnectionRefused:
		code = socks.ConnectionRefused
	case messages.ReasonHostUnreachable, messages.ReasonNameResolution, messages.ReasonTimedOut, messages.ReasonNoHealthyUpstream:
		code = socks.HostUnreachable
	default:
	}
	_ = a.request.Reply(code) // the client may have left
}
