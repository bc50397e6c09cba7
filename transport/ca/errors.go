package ca

import (
	"google.golang.org/grpc/status"

	"github.com/troupe-mesh/troupe/messages"
)

// CallError is a call that the CA refused, or that did not reach it.
type CallError struct {
	// Identity is who the certificate was asked for.
	Identity messages.Identity
	Err      error
}

// Error has the reference's first words.
func (e *CallError) Error() string {
	s := status.Convert(e.Err)
	return "signing gRPC error (" + s.Code().String() + "): " + s.Message()
}

// Unwrap is what gRPC says: a status.
func (e *CallError) Unwrap() error { return e.Err }
