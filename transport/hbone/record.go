package hbone

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
)

// record is the layer between HTTP/2 and the socket. Reading belongs to one goroutine, and so does writing; only
// the waiting methods wait.
type record interface {
	// Wait waits until Read has something to return, be it an error. Nothing is held meanwhile.
	Wait()
	// Read returns what is at hand, errAgain if that is nothing.
	Read(p []byte) (int, error)
	// Write seals p and keeps it until Flush.
	Write(p []byte) error
	// Buffered is how many sealed bytes wait for Flush, without those of a Flush that was not complete. Anybody may ask.
	Buffered() int
	// Flush writes what waits; false means that the socket takes no more and the rest is kept.
	Flush() (bool, error)
	// Stuck says that a Flush was not complete.
	Stuck() bool
	// FlushWaits says that Flush waits for the socket instead of reporting false.
	FlushWaits() bool
	// WaitWritable waits until Flush can go on.
	WaitWritable() error
	// Finish ends the sending side after a complete Flush. It may wait a few seconds.
	Finish() error
	// Close cuts the connection and wakes whoever waits.
	Close() error
}

// standardRecord is crypto/tls over a Coalescer, or, without TLS, the Coalescer alone.
type standardRecord struct {
	sealed io.ReadWriter
	tls    *tls.Conn
	under  *Coalescer
}

var _ record = (*standardRecord)(nil)

// newRecord takes conn over. A TLS connection that is not over a Coalescer works too, with a goroutine switch for
// each write.
func newRecord(conn net.Conn) (*standardRecord, error) {
	if t, ok := conn.(*tls.Conn); ok {
		if !t.ConnectionState().HandshakeComplete {
			return nil, fmt.Errorf("starting HTTP/2 on %v: %w", conn.RemoteAddr(), ErrHandshakeIncomplete)
		}
		if under, ok := t.NetConn().(*Coalescer); ok {
			under.hold()
			return &standardRecord{sealed: t, tls: t, under: under}, nil
		}
	}
	if c, ok := conn.(*Coalescer); ok {
		conn = c.Conn
	}
	under := newCoalescer(conn, true)
	under.hold()
	return &standardRecord{sealed: under, under: under}, nil
}

func (r *standardRecord) Wait()                      { r.under.wait() }
func (r *standardRecord) Read(p []byte) (int, error) { return r.sealed.Read(p) }
func (r *standardRecord) Buffered() int              { return r.under.buffered() }
func (r *standardRecord) Flush() (bool, error)       { return r.under.flush() }
func (r *standardRecord) Stuck() bool                { return r.under.flushing != nil }
func (r *standardRecord) FlushWaits() bool           { return r.under.waits() }
func (r *standardRecord) WaitWritable() error        { return r.under.waitWritable() }
func (r *standardRecord) Close() error               { return r.under.Conn.Close() }

func (r *standardRecord) Write(p []byte) error {
	_, err := r.sealed.Write(p)
	return err
}

// Finish sends TLS's close_notify, then the FIN. A connection that has no half-close is closed.
func (r *standardRecord) Finish() error {
	r.under.letGo()
	if r.tls != nil {
		if err := r.tls.CloseWrite(); err != nil {
			return err
		}
	}
	if c, ok := r.under.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return r.under.Conn.Close()
}
