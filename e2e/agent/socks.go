package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
)

// askSOCKS asks a SOCKS5 proxy (RFC 1928, no authentication) at the other end of conn to connect to target, which is
// host:port with an IP address or a name.
func askSOCKS(conn net.Conn, target string) error {
	host, portText, err := net.SplitHostPort(target)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if err := conn.SetDeadline(within(stepLimit)); err != nil {
		return fmt.Errorf("setting a deadline: %w", err)
	}
	if _, err := conn.Write([]byte{5, 1, 0}); err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	var selected [2]byte
	if _, err := io.ReadFull(conn, selected[:]); err != nil {
		return fmt.Errorf("reading the method: %w", err)
	}
	if selected != [2]byte{5, 0} {
		return fmt.Errorf("method %v, want no authentication", selected)
	}
	if _, err := conn.Write(binary.BigEndian.AppendUint16(socksAddress([]byte{5, 1, 0}, host), uint16(port))); err != nil {
		return fmt.Errorf("requesting: %w", err)
	}
	var reply [10]byte
	if _, err := io.ReadFull(conn, reply[:]); err != nil {
		return fmt.Errorf("reading the reply: %w", err)
	}
	if reply[1] != 0 {
		return fmt.Errorf("refused with code %d", reply[1])
	}
	return errors.Join(conn.SetDeadline(noDeadline))
}

func socksAddress(to []byte, host string) []byte {
	ip := net.ParseIP(host)
	switch {
	case ip == nil:
		return append(append(to, 3, byte(len(host))), host...)
	case ip.To4() != nil:
		return append(append(to, 1), ip.To4()...)
	default:
		return append(append(to, 4), ip.To16()...)
	}
}
