package relay

import (
	"errors"
	"io"
	"syscall"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// Direction is one of the two ways through a relay.
type Direction uint8

// The directions.
const (
	Send    Direction = iota // downstream to upstream
	Receive                  // upstream to downstream
)

// String is the word that begins the direction's errors.
func (d Direction) String() string {
	if d == Send {
		return "send"
	}
	return "receive"
}

// ErrDisconnected says that a leg took no more bytes and gave no error.
var ErrDisconnected = errors.New("disconnected before all data was written")

// CopyError says that bytes could not be passed on in one direction. Its text is the reference's
// (spec/dataplane.md §9).
type CopyError struct {
	Direction Direction
	// Closing is set when all bytes went through and only the half-close failed.
	Closing bool
	Err     error
}

func (e *CopyError) Error() string {
	prefix := ""
	if e.Closing {
		prefix = "while closing connection: "
	}
	text := "io error: " + socket.Text(e.Err)
	if errors.Is(e.Err, ErrDisconnected) {
		text = map[Direction]string{Send: "destination ", Receive: "client "}[e.Direction] + ErrDisconnected.Error()
	}
	return prefix + e.Direction.String() + ": " + text
}

func (e *CopyError) Unwrap() error { return e.Err }

// benign says whether an error while copying counts as the end of the stream.
func benign(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ENOTCONN) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// cut says whether an error that counts as the end of the stream was none: the other side reset it, or its connection is
// lost.
func cut(err error) bool { return err != nil && benign(err) && !errors.Is(err, io.EOF) }

// benignClose says whether an error of the half-close doesn't matter. A broken pipe does.
func benignClose(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ENOTCONN)
}
