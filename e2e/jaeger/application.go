package jaeger

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// answer is what the application says to everybody.
const answer = "cart is empty"

// application is the server pod's: it answers on the ports that somebody listens on.
type application struct {
	server  *http.Server
	serving sync.WaitGroup
}

func startApplication(ctx context.Context) (*application, error) {
	a := &application{server: &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintln(w, answer) // the client may have left
		}),
	}}
	for _, port := range []uint16{shopTarget, AdminPort} {
		at := netip.AddrPortFrom(serverIP, port).String()
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", at)
		if err != nil {
			a.stop()
			return nil, fmt.Errorf("have the application listen on %s (is another such mesh running?): %w", at, err)
		}
		a.serving.Go(func() {
			if err := a.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				_ = l.Close()
			}
		})
	}
	return a, nil
}

func (a *application) stop() {
	_ = a.server.Close()
	a.serving.Wait()
}
