package agent

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
)

// parallelDials bounds how many connections [Agent.Many] is opening at one moment, so that it tests the proxies and not
// the length of accept queues.
const parallelDials = 64

func (w *worker) many(m Many) (any, error) {
	held := Held{Failures: map[string]int{}}
	var mu sync.Mutex
	failed := func(err error) { mu.Lock(); held.Failures[reason(err)]++; mu.Unlock() }
	conns := make([]*net.TCPConn, m.Connections)
	inParallel(m.Connections, func(i int) {
		conn, err := connect(m.Via)
		if err == nil {
			conns[i] = conn
			err = askTwice(conn, m.Payload)
		}
		if err != nil {
			failed(err)
			return
		}
		mu.Lock()
		held.Opened++
		mu.Unlock()
	})
	inParallel(m.Connections, func(i int) {
		if conns[i] == nil {
			return
		}
		if err := askTwice(conns[i], m.Payload); err != nil {
			failed(err)
			return
		}
		mu.Lock()
		held.Answered++
		mu.Unlock()
	})
	for _, conn := range conns {
		if conn != nil {
			_ = conn.Close()
		}
	}
	return held, nil
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
