package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"
)

func (w *worker) dial(args dialArgs) (any, error) {
	conn, err := connect(args.Via)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.conns[args.Conn] = conn
	w.mu.Unlock()
	return netip.ParseAddrPort(conn.LocalAddr().String())
}

// connect dials as v says.
func connect(v Via) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stepLimit)
	defer cancel()
	first := v.Target
	if v.SOCKS != "" {
		first = v.SOCKS
	}
	var d net.Dialer
	if v.Source != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(v.Source)}
	}
	conn, err := d.DialContext(ctx, "tcp", first)
	if err != nil {
		return nil, fmt.Errorf("dialling %s: %w", first, err)
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("dialling %s: got a %T", first, conn)
	}
	if v.SOCKS != "" {
		if err := askSOCKS(tcp, v.Target); err != nil {
			_ = tcp.Close()
			return nil, fmt.Errorf("asking the SOCKS5 proxy %s for %s: %w", v.SOCKS, v.Target, err)
		}
	}
	return tcp, nil
}

func (w *worker) conn(id uint64) (*net.TCPConn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	conn := w.conns[id]
	if conn == nil {
		return nil, fmt.Errorf("there is no connection %d", id)
	}
	return conn, nil
}

func (w *worker) write(args ioArgs) (any, error) {
	conn, err := w.conn(args.Conn)
	if err != nil {
		return nil, err
	}
	if err := conn.SetWriteDeadline(within(stepLimit)); err != nil {
		return nil, fmt.Errorf("setting a deadline: %w", err)
	}
	if _, err := conn.Write(args.Data); err != nil {
		return nil, fmt.Errorf("writing: %w", err)
	}
	return nil, nil
}

func (w *worker) read(args ioArgs) (any, error) {
	conn, err := w.conn(args.Conn)
	if err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(within(stepLimit)); err != nil {
		return nil, fmt.Errorf("setting a deadline: %w", err)
	}
	data := make([]byte, args.N)
	n, err := io.ReadFull(conn, data)
	return readResult{Data: data[:n], End: ending(err)}, nil
}

// ending names how a read ended.
func ending(err error) End {
	switch {
	case err == nil:
		return EndOpen
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return EndEOF
	case errors.Is(err, syscall.ECONNRESET):
		return EndReset
	case errors.Is(err, os.ErrDeadlineExceeded):
		return EndTimeout
	default:
		return EndOther
	}
}

func (w *worker) closeWrite(args ioArgs) (any, error) {
	conn, err := w.conn(args.Conn)
	if err != nil {
		return nil, err
	}
	return nil, conn.CloseWrite()
}

func (w *worker) reset(args ioArgs) (any, error) {
	conn, err := w.conn(args.Conn)
	if err != nil {
		return nil, err
	}
	return nil, abort(conn)
}

// abort closes with a reset.
func abort(conn *net.TCPConn) error {
	if err := conn.SetLinger(0); err != nil {
		return fmt.Errorf("setting linger: %w", err)
	}
	return conn.Close()
}

func (w *worker) close(args ioArgs) (any, error) {
	conn, err := w.conn(args.Conn)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	delete(w.conns, args.Conn)
	w.mu.Unlock()
	return nil, conn.Close()
}

// noDeadline takes the deadlines away again.
var noDeadline time.Time
