package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// application is the demo's server: it answers on the ports that somebody listens on.
type application struct {
	server *http.Server
	ended  chan struct{}
}

func startApplication(ctx context.Context, ip netip.Addr) (*application, error) {
	a := &application{
		server: &http.Server{ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(answer)},
		ended:  make(chan struct{}),
	}
	var listeners []net.Listener
	for _, port := range []uint16{shopTarget, adminTarget} {
		address := netip.AddrPortFrom(ip, port)
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address.String())
		if err != nil {
			for _, open := range listeners {
				_ = open.Close()
			}
			return nil, fmt.Errorf("the demo's server application can't listen on %s (is another demo running?): %w", address, err)
		}
		listeners = append(listeners, l)
	}
	done := make(chan struct{}, len(listeners))
	for _, l := range listeners {
		go func() {
			if err := a.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				_ = l.Close()
			}
			done <- struct{}{}
		}()
	}
	go func() {
		for range listeners {
			<-done
		}
		close(a.ended)
	}()
	return a, nil
}

func answer(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprintln(w, "cart is empty") // the client may have left
}

func (a *application) stop() {
	_ = a.server.Close()
	<-a.ended
}
