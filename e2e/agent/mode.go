package agent

import (
	"cmp"
	"fmt"
	"net"
	"syscall"
)

// modes by name. Each owns the connection it is given.
var modes = map[Mode]func(*net.TCPConn, *ledger){
	Double:  func(c *net.TCPConn, l *ledger) { repeat(c, l, "", 2) },
	Echo:    func(c *net.TCPConn, l *ledger) { repeat(c, l, "", 1) },
	Banner:  func(c *net.TCPConn, l *ledger) { repeat(c, l, BannerText, 2) },
	Count:   count,
	Goodbye: goodbye,
	Reset:   resetAfterRead,
	Bulk:    serveBulk,
}

// repeat says banner, answers every read with it, times over, and ends its side after the client's.
func repeat(c *net.TCPConn, l *ledger, banner string, times int) {
	defer func() { _ = c.Close() }()
	if banner != "" {
		n, _ := c.Write([]byte(banner))
		l.sent(n)
	}
	buffer := make([]byte, 16<<10)
	for {
		n, err := c.Read(buffer)
		if n > 0 {
			l.received(n)
		}
		if err != nil {
			_ = c.CloseWrite()
			l.ended(err)
			return
		}
		for range times {
			n, err := c.Write(buffer[:n])
			l.sent(n)
			if err != nil {
				l.ended(err)
				return
			}
		}
	}
}

// drain reads to the end.
func drain(c *net.TCPConn, l *ledger) (total int, err error) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := c.Read(buffer)
		total += n
		l.received(n)
		if err != nil {
			return total, err
		}
	}
}

func count(c *net.TCPConn, l *ledger) {
	defer func() { _ = c.Close() }()
	total, err := drain(c, l)
	n, _ := fmt.Fprintf(c, "%d bytes", total)
	l.sent(n)
	l.ended(err)
}

func goodbye(c *net.TCPConn, l *ledger) {
	defer func() { _ = c.Close() }()
	n, _ := c.Write([]byte(GoodbyeText))
	l.sent(n)
	_ = c.CloseWrite()
	_, err := drain(c, l)
	l.ended(err)
}

func resetAfterRead(c *net.TCPConn, l *ledger) {
	n, err := c.Read(make([]byte, 16<<10))
	l.received(n)
	l.ended(cmp.Or(err, abort(c), error(syscall.ECONNRESET)))
}
