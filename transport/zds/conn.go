package zds

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	wire "github.com/troupe-mesh/troupe/transport/wire/zds"
)

// Limits of the protocol: the agent reads answers of up to 1024 bytes and takes a longer one for a broken connection, and
// gives up after 5 s (spec/ops.md §3.9).
const (
	maxPacket    = 1024
	MaxError     = 900 // bytes of an error text in an answer; more is cut
	writePatient = 5 * time.Second
)

// ErrEnded says that the agent has hung up.
var ErrEnded = errors.New("process stream ended with eof")

// Conn is a connection to the agent. One goroutine at a time may read and one may write; Close ends both.
type Conn struct{ unix *net.UnixConn }

// Dial connects to the agent that listens at path.
func Dial(ctx context.Context, path string) (*Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unixpacket", path)
	if err != nil {
		return nil, err
	}
	return &Conn{unix: c.(*net.UnixConn)}, nil
}

// Hello announces the proxy. It comes first, and once.
func (c *Conn) Hello() error {
	return c.write(&wire.ZdsHello{Version: wire.Version_V1})
}

// Read waits for the next request, which owns what it carries. It returns ErrEnded when the agent has hung up; after
// any other error of a packet the agent still waits for an answer.
func (c *Conn) Read() (Request, error) {
	data, control := make([]byte, maxPacket), make([]byte, unix.CmsgSpace(4))
	n, controlled, flags, _, err := c.unix.ReadMsgUnix(data, control)
	fds := descriptors(control[:controlled])
	if err != nil {
		closeAll(fds)
		if errors.Is(err, io.EOF) {
			return nil, ErrEnded
		}
		return nil, err
	}
	return decode(data[:n], fds, flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0)
}

// Answer answers the last request: the empty text is success.
func (c *Conn) Answer(failure string) error {
	return c.write(&wire.WorkloadResponse{Payload: &wire.WorkloadResponse_Ack{Ack: &wire.Ack{Error: Shorten(failure)}}})
}

// Close ends the connection.
func (c *Conn) Close() error { return c.unix.Close() }

func (c *Conn) write(m proto.Message) error {
	packet, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the packet: %w", err)
	}
	if err := c.unix.SetWriteDeadline(time.Now().Add(writePatient)); err != nil {
		return err
	}
	_, err = c.unix.Write(packet)
	return err
}

// Shorten cuts a text to what an answer may carry, and makes it valid UTF-8.
func Shorten(text string) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) <= MaxError {
		return text
	}
	const mark = "..."
	return strings.ToValidUTF8(text[:MaxError-len(mark)], "") + mark
}
