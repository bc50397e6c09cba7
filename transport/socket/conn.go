package socket

import (
	"errors"
	"net"
)

// ErrWouldBlock says that nothing could be read or written at once.
var ErrWouldBlock = errors.New("operation would block")

// Conn is the byte stream the data path works on: a TCP socket, or a member of an in-memory network that behaves
// like one. Reads and writes may run at the same time; there is at most one reader and one writer at a time.
type Conn interface {
	net.Conn

	// CloseWrite ends the sending side (FIN) and leaves the reading side open.
	CloseWrite() error

	// TryWrite writes what the socket takes at once and never waits. It returns n < len(p) with a nil error when
	// the send buffer is full.
	TryWrite(p []byte) (n int, err error)

	// ReadWith waits until bytes (or the end) are at hand, only then calls buffer for a place to put them, reads
	// once, and returns the number of bytes read. Nothing is held while it waits. buffer is called at most once
	// per successful wait-up and must return a non-empty slice; it may be called although nothing is read in the
	// end. The end of the stream is io.EOF.
	ReadWith(buffer func() []byte) (n int, err error)

	// WaitWritable waits until TryWrite can make progress, the write deadline passes or the connection closes.
	WaitWritable() error

	// Abort closes the connection with a reset (RST) instead of a FIN.
	Abort() error
}
