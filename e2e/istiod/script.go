package istiod

import (
	"context"

	"github.com/troupe-mesh/troupe/transport/wire/discovery"
)

// Script is what the server does besides its duty. A nil hook does nothing. Hooks run on the goroutine of their stream and
// may wait; ctx ends with the stream. An error ends the stream with it: one made by grpc's status package goes out as it is.
type Script struct {
	// Open is called when a stream was opened and authenticated.
	Open func(ctx context.Context, s *Stream) error
	// Answer is called before a response goes out, and returns what goes out in its place; nil is nothing at all.
	Answer func(ctx context.Context, s *Stream, r *discovery.DeltaDiscoveryResponse) (*discovery.DeltaDiscoveryResponse, error)
}

func (s Script) open(ctx context.Context, stream *Stream) error {
	if s.Open == nil {
		return nil
	}
	return s.Open(ctx, stream)
}

func (s Script) answer(ctx context.Context, stream *Stream, r *discovery.DeltaDiscoveryResponse) (*discovery.DeltaDiscoveryResponse, error) {
	if s.Answer == nil {
		return r, nil
	}
	return s.Answer(ctx, stream, r)
}
