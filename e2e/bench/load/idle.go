package load

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Idle opens connections through the way, has each answer one byte, and keeps them. The caller closes them.
func Idle(w Way, connections int) (open []*net.TCPConn, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, 32)
	for range connections {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			conn, failure := w.Dial(ping, 1)
			if failure == nil {
				one := make([]byte, 1)
				if _, failure = conn.Write(one); failure == nil {
					_, failure = io.ReadFull(conn, one)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if failure != nil {
				err = errors.Join(err, fmt.Errorf("connection %d: %w", len(open), failure))
				return
			}
			open = append(open, conn)
		})
		mu.Lock()
		failed := err != nil
		mu.Unlock()
		if failed {
			break
		}
	}
	all.Wait()
	return open, err
}
