// Package failure gives what goes wrong on the way to the next hop one of the closed list of reasons and the
// reference's wording. It is pure; flows and the pool use it.
package failure

import (
	"errors"
	"net"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/hbone"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// IsTimeout reports whether err is a deadline that passed.
func IsTimeout(err error) bool {
	var timeout net.Error
	return socket.Classify(err) == socket.FaultTimedOut || errors.Is(err, hbone.ErrConnectTimeout) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

// dialReason tells the ways in which a dial fails apart.
func dialReason(err error) messages.Reason {
	switch socket.Classify(err) {
	case socket.FaultRefused:
		return messages.ReasonConnectionRefused
	case socket.FaultTimedOut:
		return messages.ReasonTimedOut
	case socket.FaultUnreachable:
		return messages.ReasonHostUnreachable
	case socket.FaultAddressNotAvailable:
		return messages.ReasonAddressNotAvailable
	case socket.FaultCancelled:
		return messages.ReasonCancelled
	case socket.FaultOther:
	}
	return messages.ReasonConnectFailed
}

// Dial is the failure of a dial, with the reference's prefix: "io error: " outbound, "connection failed: " inbound.
func Dial(prefix string, err error) *messages.Failure {
	return &messages.Failure{Reason: dialReason(err), Text: prefix + socket.Text(err), Err: err}
}

// HBONEDial is the failure of dialling a peer's HBONE port: a time-out there is most often a NetworkPolicy that does
// not know the port (spec/dataplane.md §3.5).
func HBONEDial(err error) *messages.Failure {
	if dialReason(err) == messages.ReasonTimedOut {
		return &messages.Failure{
			Reason: messages.ReasonNetworkPolicySuspected,
			Text:   "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: " + socket.Text(err), Err: err,
		}
	}
	return Dial("io error: ", err)
}

// Handshake is the failure of a TLS handshake with a peer; the reference calls it an I/O error.
func Handshake(err error) *messages.Failure {
	return &messages.Failure{Reason: messages.ReasonTLSHandshake, Text: "io error: " + socket.Text(err), Err: err}
}
