package relay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// Many flows at once, with amounts on both sides of where splice begins, stalls, and either end closing its half
// whenever it has said what it had to say: nothing is lost or altered, and every relay ends.
func TestPlainManyFlows(t *testing.T) {
	const flows, atOnce = 200, 32
	stock := noise(6, 1<<20)
	for _, n := range networks {
		t.Run(n.name, func(t *testing.T) {
			var all sync.WaitGroup
			places := make(chan struct{}, atOnce)
			for seed := range uint64(flows) {
				r := startPlain(t, n.make())
				places <- struct{}{}
				all.Go(func() {
					defer func() { <-places }()
					if err := converse(r, stock, seed); err != nil {
						t.Errorf("flow %d: %v", seed, err)
					}
				})
			}
			all.Wait()
		})
	}
}

// converse lets both ends of a relay say parts of stock and checks what they hear.
func converse(r *relayed, stock []byte, seed uint64) error {
	rnd := rand.New(rand.NewPCG(seed, 11))
	part := func() []byte { return stock[rnd.IntN(len(stock)/2):][:rnd.IntN(400_000)] }
	up, down := part(), part()
	results := make(chan error, 4)
	go func() { results <- speak(r.client, up, seed) }()
	go func() { results <- speak(r.server, down, seed+1) }()
	go func() { results <- listenTo(r.server, up) }()
	go func() { results <- listenTo(r.client, down) }()
	var errs []error
	for range 4 {
		errs = append(errs, <-results)
	}
	res := <-r.done
	if s, v := r.counters.Sent.Load(), r.counters.Received.Load(); s != uint64(len(down)) || v != uint64(len(up)) {
		errs = append(errs, fmt.Errorf("counted %d and %d of %d and %d bytes", s, v, len(down), len(up)))
	}
	return errors.Join(append(errs, res.Err)...)
}

func speak(c socket.Conn, data []byte, seed uint64) error {
	rnd := rand.New(rand.NewPCG(seed, 12))
	for len(data) > 0 {
		n, err := c.Write(data[:min(len(data), 1+rnd.IntN(30_000))])
		if err != nil {
			return err
		}
		data = data[n:]
		if rnd.IntN(8) == 0 {
			<-time.After(time.Duration(rnd.IntN(1000)) * time.Microsecond)
		}
	}
	return c.CloseWrite()
}

func listenTo(c socket.Conn, want []byte) error {
	got, err := io.ReadAll(c)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("heard %d of %d bytes, or others", len(got), len(want))
	}
	return err
}
