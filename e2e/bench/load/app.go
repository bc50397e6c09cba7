// Package load is the traffic of the benchmarks: the application that answers, and the scenarios of the client. The
// first byte of a connection says what the application does with the rest.
package load

import (
	"errors"
	"io"
	"net"
)

// What the application does with a connection.
const (
	sink = 'S' // reads to the end, then answers one byte
	echo = 'E' // answers with its input
	ping = 'P' // answers requests of as many bytes as the second and third byte say with as many
)

// bufferSize is the application's and the client's.
const bufferSize = 256 << 10

// Serve is the application.
func Serve(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go answer(conn.(*net.TCPConn))
	}
}

func answer(conn *net.TCPConn) {
	defer func() { _ = conn.Close() }()
	var kind [3]byte
	if _, err := io.ReadFull(conn, kind[:]); err != nil {
		return
	}
	switch kind[0] {
	case sink:
		buffer := make([]byte, bufferSize)
		for {
			if _, err := conn.Read(buffer); errors.Is(err, io.EOF) {
				_, _ = conn.Write(kind[:1])
				return
			} else if err != nil {
				return
			}
		}
	case echo:
		buffer := make([]byte, bufferSize)
		for {
			n, err := conn.Read(buffer)
			if n > 0 {
				if _, err := conn.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	case ping:
		message := make([]byte, int(kind[1])<<8|int(kind[2]))
		for {
			if _, err := io.ReadFull(conn, message); err != nil {
				return
			}
			if _, err := conn.Write(message); err != nil {
				return
			}
		}
	}
}
