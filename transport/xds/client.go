package xds

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-mesh/troupe/transport/grpcdial"
	"github.com/troupe-mesh/troupe/transport/wire/discovery"
)

// maxMessage is the largest response taken (spec/control.md §2.5).
const maxMessage = 200 << 20

// Stream is an open stream. Send and Receive may each be called by one goroutine at a time, Close by any.
type Stream interface {
	// Send sends a request; it may wait for the server to take it.
	Send(r *discovery.DeltaDiscoveryRequest) error
	// Receive waits for a response. Its error is a gRPC status, or io.EOF when the server ended the stream.
	Receive() (*Batch, error)
	// Close ends the stream and its connection at once.
	Close()
}

// Client opens streams.
type Client struct{ config grpcdial.Config }

// NewClient makes a client of a control plane.
func NewClient(c grpcdial.Config) *Client {
	c.MaxMessage = maxMessage
	return &Client{config: c}
}

// Open connects anew, with the roots and the token of now, and begins a stream, which lives until it is closed.
func (c *Client) Open(ctx context.Context) (Stream, error) {
	conn, err := grpcdial.Dial(c.config)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.Background())
	s := &stream{conn: conn, end: end}
	stop := context.AfterFunc(ctx, end)
	defer stop()
	s.grpc, err = conn.NewStream(life, &discovery.AggregatedDiscoveryService_ServiceDesc.Streams[0],
		discovery.AggregatedDiscoveryService_DeltaAggregatedResources_FullMethodName, grpc.ForceCodecV2(codec{}))
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("open the stream to %s: %w", c.config.Address, err)
	}
	return s, nil
}

// stream is a Stream over gRPC.
type stream struct {
	conn *grpc.ClientConn
	grpc grpc.ClientStream
	end  context.CancelFunc
}

var _ Stream = (*stream)(nil)

// Send sends a request.
func (s *stream) Send(r *discovery.DeltaDiscoveryRequest) error { return s.grpc.SendMsg(r) }

// Receive waits for a response.
func (s *stream) Receive() (*Batch, error) {
	var b Batch
	if err := s.grpc.RecvMsg(&b); err != nil {
		return nil, err
	}
	return &b, nil
}

// Close ends the stream.
func (s *stream) Close() {
	s.end()
	_ = s.conn.Close() // it can only have been closed before
}

// codec reads responses as batches.
type codec struct{}

var _ encoding.CodecV2 = codec{}

// Marshal packs a request.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(proto.Message)
	if !ok {
		return nil, fmt.Errorf("pack a request: %T is no message", v)
	}
	b, err := proto.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("pack a request: %w", err)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

// Unmarshal reads a response.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*Batch)
	if !ok {
		return fmt.Errorf("read a response into %T", v)
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	batch, err := decode(whole.ReadOnlyData())
	if err != nil {
		return err
	}
	*b = *batch
	return nil
}

// Name is proto: on the wire it is nothing else.
func (codec) Name() string { return "proto" }
