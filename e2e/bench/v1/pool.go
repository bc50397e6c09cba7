package v1

import (
	"context"
	"sync"

	"golang.org/x/net/http2"
)

// pool keeps connections by peer, each with at most streamsPerConn streams at a time.
type pool struct {
	dial  func(ctx context.Context, peer string) (*http2.ClientConn, error) //nolint:staticcheck // the stock HTTP/2 is the point
	mu    sync.Mutex
	conns map[string][]*pooled
}

type pooled struct {
	*http2.ClientConn
	streams int
}

// take returns a connection with room for a stream, and what to call when the stream is over.
func (p *pool) take(ctx context.Context, peer string) (conn *http2.ClientConn, release func(), err error) { //nolint:staticcheck // the stock HTTP/2 is the point
	p.mu.Lock()
	defer p.mu.Unlock()
	alive := p.conns[peer][:0]
	var free *pooled
	for _, c := range p.conns[peer] {
		if state := c.State(); state.Closed || state.Closing {
			continue
		}
		alive = append(alive, c)
		if free == nil && c.streams < streamsPerConn {
			free = c
		}
	}
	if free == nil {
		made, err := p.dial(ctx, peer)
		if err != nil {
			return nil, nil, err
		}
		free = &pooled{ClientConn: made}
		alive = append(alive, free)
	}
	if p.conns == nil {
		p.conns = map[string][]*pooled{}
	}
	p.conns[peer] = alive
	free.streams++
	return free.ClientConn, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		free.streams--
	}, nil
}
