package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// The bulk protocol: the client sends up, down and seed as three big-endian uint64, then up bytes of the pattern, and
// ends its side. The server sends down bytes of the pattern at once, and, when it has checked the client's to the end,
// eight bytes that say how many those were; then it ends its side.
const bulkHeader = 24

func (w *worker) transfer(t Transfer) (any, error) {
	start := time.Now()
	conn, err := connect(t.Via)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(within(transferLimit)); err != nil {
		return nil, fmt.Errorf("setting a deadline: %w", err)
	}
	sent := make(chan error, 1)
	go func() { sent <- sendUp(conn, t) }()
	down := newPattern(t.Seed + 1)
	if err := down.check(conn, t.Down); err != nil {
		return nil, errors.Join(fmt.Errorf("down: %w", err), conn.Close(), <-sent)
	}
	var trailer [8]byte
	if _, err := io.ReadFull(conn, trailer[:]); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the server's count: %w", err), conn.Close(), <-sent)
	}
	if err := <-sent; err != nil {
		return nil, err
	}
	up := binary.BigEndian.Uint64(trailer[:])
	if up != t.Up {
		return nil, fmt.Errorf("the server got %d of %d bytes, or a wrong one", up, t.Up)
	}
	if n, err := conn.Read(trailer[:]); n != 0 || !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("after the server's count: %d bytes, %w, want the end", n, err)
	}
	return Transferred{Up: up, Down: t.Down, Took: time.Since(start)}, nil
}

func sendUp(conn *net.TCPConn, t Transfer) error {
	header := make([]byte, 0, bulkHeader)
	for _, v := range []uint64{t.Up, t.Down, t.Seed} {
		header = binary.BigEndian.AppendUint64(header, v)
	}
	if _, err := conn.Write(header); err != nil {
		return fmt.Errorf("up: %w", err)
	}
	if err := newPattern(t.Seed).send(conn, t.Up); err != nil {
		return fmt.Errorf("up: %w", err)
	}
	return conn.CloseWrite()
}

func serveBulk(c *net.TCPConn, l *ledger) {
	defer func() { _ = c.Close() }()
	var header [bulkHeader]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		l.ended(err)
		return
	}
	up, down := binary.BigEndian.Uint64(header[:]), binary.BigEndian.Uint64(header[8:])
	seed := binary.BigEndian.Uint64(header[16:])
	sent := make(chan error, 1)
	go func() { sent <- newPattern(seed+1).send(c, down) }()
	err := newPattern(seed).check(c, up)
	if err == nil {
		err = wantEnd(c)
	}
	if err != nil {
		_ = c.Close()
		<-sent
		l.ended(err)
		return
	}
	l.received(int(up))
	if <-sent == nil {
		l.sent(int(down))
		_, _ = c.Write(binary.BigEndian.AppendUint64(nil, up))
		_ = c.CloseWrite()
	}
	l.ended(io.EOF)
}

// wantEnd wants the client's end of stream and nothing before it.
func wantEnd(c *net.TCPConn) error {
	var one [1]byte
	n, err := c.Read(one[:])
	if n != 0 {
		return errors.New("more bytes than announced")
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
