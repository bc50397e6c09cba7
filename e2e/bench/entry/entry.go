// Package entry is how a benchmark's client tells a proxy where its connection goes, the same way for each contender:
// SOCKS5 without authentication and with IPv4 addresses, as the product's own listener takes it.
package entry

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
)

// Accept reads a client's wish and answers it, and returns the target as ip:port.
func Accept(conn net.Conn) (string, error) {
	var greeting [3]byte
	if _, err := io.ReadFull(conn, greeting[:]); err != nil {
		return "", fmt.Errorf("reading a greeting: %w", err)
	}
	if greeting != [3]byte{5, 1, 0} {
		return "", fmt.Errorf("greeting %v, want version 5 and no authentication", greeting)
	}
	if _, err := conn.Write([]byte{5, 0}); err != nil {
		return "", fmt.Errorf("selecting a method: %w", err)
	}
	var request [10]byte
	if _, err := io.ReadFull(conn, request[:]); err != nil {
		return "", fmt.Errorf("reading a request: %w", err)
	}
	if [4]byte(request[:4]) != [4]byte{5, 1, 0, 1} {
		return "", fmt.Errorf("request %v, want CONNECT to an IPv4 address", request)
	}
	if _, err := conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0}); err != nil {
		return "", fmt.Errorf("answering a request: %w", err)
	}
	target := netip.AddrPortFrom(netip.AddrFrom4([4]byte(request[4:8])), binary.BigEndian.Uint16(request[8:]))
	return target.String(), nil
}

// Dial connects to target by way of the proxy.
func Dial(proxy string, target netip.AddrPort) (*net.TCPConn, error) {
	conn, err := net.Dial("tcp", proxy)
	if err != nil {
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	if err := ask(tcp, target); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("asking %s for %v: %w", proxy, target, err)
	}
	return tcp, nil
}

func ask(conn net.Conn, target netip.AddrPort) error {
	if _, err := conn.Write([]byte{5, 1, 0}); err != nil {
		return err
	}
	var answer [10]byte
	if _, err := io.ReadFull(conn, answer[:2]); err != nil {
		return err
	}
	ip := target.Addr().As4()
	request := binary.BigEndian.AppendUint16(append([]byte{5, 1, 0, 1}, ip[:]...), target.Port())
	if _, err := conn.Write(request); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	if answer[1] != 0 {
		return fmt.Errorf("refused with code %d", answer[1])
	}
	return nil
}
