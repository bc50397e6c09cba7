package main

import (
	"errors"
	"io"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// collector is an OTLP collector that looks at nothing, so that it costs as little as it can: it takes every message of
// every service and answers with an empty one.
func (r role) collector(ready func()) error {
	return r.listen(ready, func(l net.Listener) error {
		return grpc.NewServer(grpc.ForceServerCodecV2(unread{}), grpc.UnknownServiceHandler(swallow)).Serve(l)
	})
}

func swallow(_ any, stream grpc.ServerStream) error {
	for {
		var message struct{}
		if err := stream.RecvMsg(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(nil); err != nil {
			return err
		}
	}
}

// unread is the codec of messages of which nobody reads anything.
type unread struct{}

// Marshal makes the empty message.
func (unread) Marshal(any) (mem.BufferSlice, error) { return nil, nil }

// Unmarshal reads nothing.
func (unread) Unmarshal(mem.BufferSlice, any) error { return nil }

// Name is that of the codec in whose place it is.
func (unread) Name() string { return "proto" }
