package matrix

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/proxy"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// Patience is how long a call waits for anything, in virtual time: longer than every deadline of a node.
const Patience = 2 * time.Minute

// call is one call of an application, or one look at the readiness page.
type call struct {
	name string
	Outcome
	// from is the caller's address as the node sees it, heard whether a single byte came back.
	from  netip.AddrPort
	heard bool
	// conn is the connection of one that stays open, until it is over.
	conn net.Conn
	over bool
}

// stays says that the call's connection stays open until the scene ends.
func (c *call) stays() bool {
	switch c.name {
	case LastingMesh, LastingPlainOut, LastingPlainIn, Doomed, Mesh, PlainIn:
		return true
	default:
		return false
	}
}

// make makes the call and waits for its end.
func (c *call) make(s *Scene) {
	began := time.Now()
	var err error
	if c.name == Ready {
		err = s.readiness()
	} else {
		err = c.exchange(s)
	}
	c.Answered = err == nil
	if c.Hangs = isTimeout(err); !c.Hangs { // else it took the test's patience
		c.After = coarse(time.Since(began))
	}
}

// coarse is a time as the table gives it.
func coarse(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// exchange says something and hears the same; unless it stays open, the connection ends in good order.
func (c *call) exchange(s *Scene) (err error) {
	if c.conn, err = c.dial(s); err != nil {
		return err
	}
	_ = c.conn.SetDeadline(time.Now().Add(Patience))
	err = c.echo(s)
	if err == nil && c.stays() {
		s.stay(c)
		return nil
	}
	defer func() { _ = c.conn.Close() }()
	if err != nil {
		return err
	}
	if err := c.conn.(socket.Conn).CloseWrite(); err != nil {
		return err
	}
	if _, err := c.conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("it did not end in good order"), err)
	}
	return nil
}

// echo says something and hears the same.
func (c *call) echo(s *Scene) error {
	const text = "hello"
	if _, err := io.WriteString(c.conn, text); err != nil {
		return err
	}
	got := make([]byte, len(text))
	n, err := io.ReadFull(c.conn, got)
	c.heard = c.heard || n > 0
	if err == nil && string(got) != text {
		s.t.Errorf("an application said %q and heard %q", text, got)
	}
	return err
}

// dial opens the call's connection.
func (c *call) dial(s *Scene) (net.Conn, error) {
	switch c.name {
	case PlainOut, LastingPlainOut:
		return c.dialFrom(s.nodes[Client].Host.App(), "10.0.0.3:8080")
	case PlainIn, LastingPlainIn:
		return c.dialFrom(s.World.Host("legacy").App(), "10.0.0.2:8080")
	case Doomed:
		return c.dialFrom(s.World.Host("legacy").App(), "10.0.0.2:7070")
	case Denied:
		return c.dialFrom(s.nodes[Client].Host.App(), "10.0.0.2:9090")
	case DeniedPlain:
		return c.dialFrom(s.World.Host("legacy").App(), "10.0.0.2:9090")
	case SOCKS:
		door, err := proxy.SOCKS5("tcp", "127.0.0.1:15080", nil, socksDoor{c, s.nodes[Client].Host})
		if err != nil {
			return nil, err
		}
		return door.Dial("tcp", serverName+":8080")
	default:
		return c.dialFrom(s.nodes[Client].Host.App(), "10.9.0.2:80")
	}
}

func (c *call) dialFrom(network socket.Network, addr string) (net.Conn, error) {
	conn, err := network.Dial(context.Background(), netip.MustParseAddrPort(addr), socket.DialOptions{})
	if err != nil {
		return nil, err
	}
	c.from = netip.MustParseAddrPort(conn.LocalAddr().String())
	return conn, conn.SetDeadline(time.Now().Add(Patience))
}

// socksDoor is a host as the SOCKS5 client dials from it.
type socksDoor struct {
	call *call
	host socket.Network
}

// Dial opens a connection.
func (d socksDoor) Dial(_, addr string) (net.Conn, error) { return d.call.dialFrom(d.host, addr) }

// readiness asks the page as the kubelet does; an error is any answer but 200.
func (s *Scene) readiness() error {
	conn, err := new(call).dialFrom(s.Broken().Host, "127.0.0.1:15021")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /healthz/ready HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	page, err := io.ReadAll(conn)
	if err == nil && !strings.HasPrefix(string(page), "HTTP/1.1 200 ") {
		err = errors.New(string(page))
	}
	return err
}
