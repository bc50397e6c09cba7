package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/proxy"
)

// dial connects from the client through its proxy's SOCKS5 entrance to a host, a name or an address, and port.
func (r *running) dial(host string, port uint16) (net.Conn, error) {
	r.t.Helper()
	through, err := proxy.SOCKS5("tcp", netip.AddrPortFrom(r.ip, 15080).String(), nil,
		&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(r.ip, 0))})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), callLimit)
	defer cancel()
	conn, err := through.(proxy.ContextDialer).DialContext(ctx, "tcp", net.JoinHostPort(host, fmt.Sprint(port)))
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(callLimit))
	}
	return conn, err
}

// open is dial that must succeed.
func (r *running) open(host string, port uint16) net.Conn {
	r.t.Helper()
	conn, err := r.dial(host, port)
	if err != nil {
		r.t.Fatalf("connect to %s:%d: %v", host, port, err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// roundTrip sends bytes and wants them back.
func roundTrip(t *testing.T, conn net.Conn, sent []byte) {
	t.Helper()
	got := make([]byte, len(sent))
	if _, err := conn.Write(sent); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("sent %d bytes, got others back: %v", len(sent), err)
	}
}

// serveEcho listens on ip and sends back what comes.
func serveEcho(t *testing.T, ip netip.Addr) {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(ip, echoPort).String())
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { _ = l.Close() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(4 * callLimit)) // no test lasts longer
				_, _ = io.Copy(conn, conn)                          // the client may end as it likes
			})
		}
	})
}
