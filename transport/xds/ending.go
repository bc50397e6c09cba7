package xds

import (
	"errors"
	"io"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Ending is how a stream ended (spec/control.md §2.5).
type Ending uint8

// The endings.
const (
	EndConnectionError Ending = iota // it never opened: TCP, TLS, the token, or a status before any message
	EndReconnect                     // the server has lived long enough, or goes away in good order
	EndError                         // any other failure
	EndComplete                      // the server ended it without one
)

// Endings is how many there are.
const Endings = 4

// String is the label of the metric.
func (e Ending) String() string {
	return [...]string{"ConnectionError", "Reconnect", "Error", "Complete"}[e]
}

// EndingOf says how a stream ended with err; heard says that it had brought a message.
func EndingOf(err error, heard bool) Ending {
	if errors.Is(err, io.EOF) {
		return EndComplete
	}
	if !heard {
		return EndConnectionError
	}
	s, ok := status.FromError(err)
	if !ok {
		return EndError
	}
	switch s.Code() {
	case codes.Unknown, codes.Canceled, codes.DeadlineExceeded:
		return EndReconnect
	case codes.Unavailable:
		for _, graceful := range []string{"transport is closing", "received prior goaway"} {
			if strings.Contains(s.Message(), graceful) {
				return EndReconnect
			}
		}
	default:
	}
	return EndError
}
