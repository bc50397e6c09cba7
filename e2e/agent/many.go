package agent

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// parallelDials bounds how many connections [Agent.Many] is opening at one moment, so that it tests the proxies and not
// the length of accept queues.
const parallelDials = 64

func (w *worker) many(m Many) (any, error) {
	c := openCrowd(m)
	c.letGo()
	return c.held, nil
}

func (w *worker) hold(m Many) (any, error) {
	c := openCrowd(m)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.crowds = append(w.crowds, c)
	return c.held, nil
}

// letGo ends what was held first.
func (w *worker) letGo(struct{}) (any, error) {
	w.mu.Lock()
	if len(w.crowds) == 0 {
		w.mu.Unlock()
		return nil, errors.New("nothing is held")
	}
	c := w.crowds[0]
	w.crowds = w.crowds[1:]
	w.mu.Unlock()
	c.letGo()
	return c.held, nil
}

// probe opens connections one after the other, each for one exchange.
func (w *worker) probe(p Probe) (any, error) {
	took := make([]time.Duration, p.Times)
	for i := range took {
		began := time.Now()
		conn, err := connect(p.Via)
		if err != nil {
			return nil, err
		}
		err = askTwice(conn, p.Payload)
		took[i] = time.Since(began)
		_ = conn.Close()
		if err != nil {
			return nil, fmt.Errorf("connection %d: %w", i, err)
		}
	}
	return took, nil
}

// crowd is many connections that are open at once.
type crowd struct {
	Many
	conns []*net.TCPConn
	mu    sync.Mutex
	held  Held
}

func (c *crowd) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held.Failures[reason(err)]++
}

func (c *crowd) count(n *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n++
}

// openCrowd opens them and has each answered.
func openCrowd(m Many) *crowd {
	c := &crowd{Many: m, conns: make([]*net.TCPConn, m.Connections), held: Held{Failures: map[string]int{}}}
	inParallel(m.Connections, func(i int) {
		conn, err := connect(m.Via)
		if err == nil {
			c.conns[i] = conn
			err = askTwice(conn, m.Payload)
		}
		if err != nil {
			c.failed(err)
			return
		}
		c.count(&c.held.Opened)
	})
	return c
}

// letGo has each answered again, and closes them.
func (c *crowd) letGo() {
	inParallel(len(c.conns), func(i int) {
		if c.conns[i] == nil {
			return
		}
		if err := askTwice(c.conns[i], c.Payload); err != nil {
			c.failed(err)
			return
		}
		c.count(&c.held.Answered)
	})
	for _, conn := range c.conns {
		if conn != nil {
			_ = conn.Close()
		}
	}
}

// askTwice sends the payload and wants it back twice.
func askTwice(conn net.Conn, payload string) error {
	if err := conn.SetDeadline(within(4 * stepLimit)); err != nil {
		return fmt.Errorf("setting a deadline: %w", err)
	}
	if _, err := io.WriteString(conn, payload); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	answer := make([]byte, 2*len(payload))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	if string(answer) != payload+payload {
		return fmt.Errorf("wrong answer")
	}
	return nil
}

func inParallel(n int, f func(i int)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, parallelDials)
	for i := range n {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			f(i)
		})
	}
	all.Wait()
}

// reason is an error without the ports that make every one of them different.
func reason(err error) string {
	text := err.Error()
	if at := strings.LastIndex(text, ": "); at >= 0 {
		text = text[at+2:]
	}
	return text
}
