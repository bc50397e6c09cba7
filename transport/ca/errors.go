package ca

import (
	"strings"

	"google.golang.org/grpc/status"

	"github.com/troupe-mesh/troupe/messages"
)

// CallError is a call that the CA refused, or that did not reach it.
type CallError struct {
	// Identity is who the certificate was asked for.
	Identity messages.Identity
	Err      error
}

// maxReason bounds what is told of a CA's own words, in bytes: they are kept, dumped, and logged with each connection.
const maxReason = 1024

// Error has the reference's first words.
func (e *CallError) Error() string {
	s := status.Convert(e.Err)
	return "signing gRPC error (" + s.Code().String() + "): " + shortened(s.Message())
}

func shortened(reason string) string {
	if len(reason) <= maxReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:maxReason], "") + "…"
}

// Unwrap is what gRPC says: a status.
func (e *CallError) Unwrap() error { return e.Err }
