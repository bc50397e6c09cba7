package sim

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// served is what an application saw of one connection.
type served struct {
	host           string
	port           uint16
	peer           netip.Addr
	accepted, over time.Time
	// id is the client's, -1 as long as it is not known.
	id     int
	header []byte
	got    int
	wrong  bool
	gotEnd bool
	sent   int
	// sentAll says that the application ended its side after all that it had to say.
	sentAll bool
}

// applications are all of them, and what they saw.
type applications struct {
	mu  sync.Mutex
	all []*served
}

// open starts the applications of a host.
func (l *life) open(host string) {
	for _, port := range []uint16{portEcho, portBanner, portSource, portSlow, portResets} {
		at := netip.AddrPortFrom(netip.MustParseAddr(addresses[host]), port)
		l.world.Serve(l.world.Host(host), at.String(), func(c socket.Conn) {
			peer, _ := netip.ParseAddrPort(c.RemoteAddr().(*net.TCPAddr).String())
			s := &served{host: host, port: port, peer: peer.Addr().Unmap(), accepted: time.Now(), id: -1}
			l.apps.mu.Lock()
			l.apps.all = append(l.apps.all, s)
			r := rand.New(rand.NewPCG(l.seed, serves<<32|uint64(len(l.apps.all))))
			l.apps.mu.Unlock()
			_ = c.SetDeadline(time.Now().Add(patience))
			s.serve(c, r)
			s.over = time.Now()
		})
	}
}

func (s *served) serve(c socket.Conn, r *rand.Rand) {
	switch s.port {
	case portEcho:
		s.echo(c)
	case portBanner:
		if s.say(c, fill(bannerSize, 0, func(at int) byte { return answered(portBanner, 0, at) })) {
			s.echo(c)
		}
	case portSource:
		s.source(c)
	case portSlow:
		s.slow(c, r)
	case portResets:
		_, _ = s.read(c, make([]byte, 1+r.IntN(5000)))
		<-time.After(time.Duration(r.Int64N(int64(50 * time.Millisecond))))
		_ = c.Abort()
	}
}

func (s *served) read(c io.Reader, buf []byte) ([]byte, error) {
	n, err := c.Read(buf)
	b := buf[:n]
	if missing := headerSize - len(s.header); missing > 0 && n > 0 {
		s.header = append(s.header, b[:min(missing, n)]...)
		if len(s.header) == headerSize {
			s.id = int(binary.BigEndian.Uint64(s.header)) - 1
		}
	}
	if n > 0 && s.id >= 0 && s.got+n >= headerSize {
		from := max(0, headerSize-s.got)
		s.wrong = s.wrong || !follows(b[from:], s.got+from, func(at int) byte { return said(s.id, at) })
	}
	s.got += n
	s.gotEnd = err == io.EOF
	return b, err
}

func (s *served) say(c socket.Conn, b []byte) bool {
	n, err := c.Write(b)
	s.sent += n
	return err == nil
}

func (s *served) end(c socket.Conn) { s.sentAll = c.CloseWrite() == nil }

func (s *served) echo(c socket.Conn) {
	buf := make([]byte, 16<<10)
	for {
		b, err := s.read(c, buf)
		if len(b) > 0 && !s.say(c, b) {
			return
		}
		if err != nil {
			if s.gotEnd {
				s.end(c)
			}
			return
		}
	}
}

func (s *served) source(c socket.Conn) {
	var saying sync.WaitGroup
	saying.Go(func() {
		if s.say(c, fill(sourceSize, 0, func(at int) byte { return answered(portSource, 0, at) })) {
			s.end(c)
		}
	})
	s.drain(c)
	saying.Wait()
}

func (s *served) drain(c socket.Conn) {
	buf := make([]byte, 16<<10)
	for {
		if _, err := s.read(c, buf); err != nil {
			return
		}
	}
}

func (s *served) slow(c socket.Conn, r *rand.Rand) {
	buf := make([]byte, 30_000)
	for {
		_, err := s.read(c, buf)
		if err != nil {
			break
		}
		<-time.After(time.Duration(r.Int64N(int64(100 * time.Millisecond))))
	}
	if !s.gotEnd {
		return
	}
	var count [countSize]byte
	binary.BigEndian.PutUint64(count[:], uint64(s.got))
	if s.say(c, count[:]) {
		s.end(c)
	}
}
