package proxy

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Signals are the SIGTERM and SIGINT of the process, from CatchSignals to Release.
type Signals struct{ caught chan os.Signal }

// CatchSignals is called before Start, so that a proxy that has begun to serve is never killed by a signal: one that comes
// during the start ends the proxy once it has started. (The reference dies of it.)
func CatchSignals() *Signals {
	s := &Signals{caught: make(chan os.Signal, 4)}
	signal.Notify(s.caught, syscall.SIGTERM, syscall.SIGINT)
	return s
}

// Release gives the signals back to the system.
func (s *Signals) Release() { signal.Stop(s.caught) }

// Run waits for a signal or a request of the admin page, then drains the proxy (spec/ops.md §2.4). After a SIGINT as the
// first cause a second one ends the process at once, with code 0; all other signals are swallowed then.
func (s *Signals) Run(p *Proxy) error {
	life, end := context.WithCancel(context.Background())
	var trimming sync.WaitGroup
	trimming.Go(func() { newTrimmer().run(life) })
	defer trimming.Wait()
	defer end()

	if !isSet(os.Environ(), "GOGC") {
		defer tuneCollector()()
	}

	interrupted := false
	select {
	case why := <-p.shutdown:
		p.log.Info(why).Send()
	case got := <-s.caught:
		interrupted = got == syscall.SIGINT
		p.log.Info("received signal " + name(got) + ", starting shutdown").Send()
	}
	done := make(chan error, 1)
	go func() { done <- p.Shutdown(context.Background()) }()
	for {
		select {
		case err := <-done:
			return err
		case got := <-s.caught:
			if interrupted && got == syscall.SIGINT {
				p.log.Info("Double Ctrl+C, exit immediately").Send()
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				_ = p.logs.Close(ctx) // what is not out by then is lost: the user is in a hurry
				cancel()
				os.Exit(0)
			}
		}
	}
}

func name(s os.Signal) string {
	if s == syscall.SIGINT {
		return "SIGINT"
	}
	return "SIGTERM"
}
