package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// patience bounds what a client or an application waits for.
const patience = 90 * time.Second

// spoken is what a client saw of its call.
type spoken struct {
	*call
	start, end time.Time
	// local is the client's address, as the node's log shows it; connected says that there was a connection.
	local     string
	connected bool
	dialError error
	// sent counts what was written; sentAll says that the client ended its side after all of it.
	sent    int
	sentAll bool
	// got counts what was read, as far as it was right; wrong says that something else came.
	got   int
	wrong bool
	// gotEnd says that the other side ended in good order.
	gotEnd bool
	// count is what portSlow answered.
	count uint64
}

// toService reports whether the call is to the service's VIP.
func (c *call) toService() bool { return c.to.Addr() == netip.MustParseAddr(vip) }

// port is the application's port, which differs from the service's.
func (c *call) port() uint16 {
	if c.toService() {
		return servicePorts[c.to.Port()]
	}
	return c.to.Port()
}

func (l *life) dial(c *call) (socket.Conn, error) {
	if c.socks {
		conn, err := l.nodes[c.from].DialSOCKS(c.to.String())
		if err != nil {
			return nil, err
		}
		return conn.Conn, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return l.world.Host(c.from).App().Dial(ctx, c.to, socket.DialOptions{})
}

// talk carries out a call.
func (l *life) talk(c *call) *spoken {
	s := &spoken{call: c, start: time.Now()}
	defer func() { s.end = time.Now() }()
	conn, err := l.dial(c)
	if err != nil {
		s.dialError = err
		return s
	}
	defer func() { _ = conn.Close() }()
	s.connected, s.local = true, conn.LocalAddr().String()
	_ = conn.SetDeadline(time.Now().Add(patience))
	var reading sync.WaitGroup
	reading.Go(func() { s.listen(conn) })
	s.speak(conn, rand.New(rand.NewPCG(l.seed, talks<<32|uint64(c.id))))
	reading.Wait()
	return s
}

func (s *spoken) speak(conn socket.Conn, r *rand.Rand) {
	size := headerSize + s.size
	pause := -1
	switch s.habit {
	case listener:
		size = headerSize
	case lingerer:
		pause = size / 2
	case quitter:
		size = headerSize + s.size/2
	case talker, deaf, habits:
	}
	for s.sent < size {
		if pause >= 0 && s.sent >= pause {
			pause = -1
			<-time.After(s.wait)
		}
		n, err := conn.Write(fill(min(size-s.sent, 1+r.IntN(20_000)), s.sent, func(at int) byte { return said(s.id, at) }))
		s.sent += n
		if err != nil {
			return
		}
		if r.IntN(4) == 0 {
			<-time.After(time.Duration(r.Int64N(int64(20 * time.Millisecond))))
		}
	}
	if s.habit == quitter {
		<-time.After(s.wait / 10)
		_ = conn.Abort()
		return
	}
	s.sentAll = conn.CloseWrite() == nil
}

func (s *spoken) listen(conn socket.Conn) {
	if s.habit == deaf {
		<-time.After(s.wait)
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := conn.Read(buf)
		s.hear(buf[:n])
		if err != nil {
			s.gotEnd = errors.Is(err, io.EOF)
			return
		}
	}
}

func (s *spoken) hear(b []byte) {
	if len(b) == 0 {
		return
	}
	port := s.port()
	if port == portSlow {
		var whole [countSize]byte
		binary.BigEndian.PutUint64(whole[:], s.count)
		s.wrong = s.wrong || s.got+len(b) > countSize
		copy(whole[min(s.got, countSize):], b)
		s.count = binary.BigEndian.Uint64(whole[:])
	} else if !follows(b, s.got, func(at int) byte { return answered(port, s.id, at) }) {
		s.wrong = true
	}
	s.got += len(b)
}
