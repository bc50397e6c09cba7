package proxy

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// RunUntilSignal waits for SIGTERM, SIGINT or a request of the admin page, then drains the proxy (spec/ops.md §2.4). After a
// SIGINT as the first cause a second one ends the process at once, with code 0; all other signals are swallowed then.
func RunUntilSignal(p *Proxy) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	interrupted := false
	select {
	case why := <-p.shutdown:
		p.log.Info(why).Send()
	case s := <-signals:
		interrupted = s == syscall.SIGINT
		p.log.Info("received signal " + name(s) + ", starting shutdown").Send()
	}
	done := make(chan error, 1)
	go func() { done <- p.Shutdown(context.Background()) }()
	for {
		select {
		case err := <-done:
			return err
		case s := <-signals:
			if interrupted && s == syscall.SIGINT {
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
