package admin

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// Limits of spec/ops.md §5.0, and how long an answer may take to be written.
const (
	headerTimeout = 2 * time.Second
	// net/http lets 4 KiB more than its limit pass; together they are the 8 KiB of the reference.
	maxHeaderBytes = 8<<10 - 4<<10
	answerTimeout  = 30 * time.Second
)

// server serves one endpoint, again after each restart of the actor.
type server struct {
	endpoint *Endpoint
	handler  http.Handler
	log      *logs.Logger
	// drain carries the time that running requests have; it has room for one.
	drain chan time.Duration
	// alone is held by run: after a crash the next run waits until the one before has closed its listeners.
	alone sync.Mutex
}

func newServer(e *Endpoint, h http.Handler, l *logs.Logs) *server {
	return &server{endpoint: e, handler: h, log: l.Scope("ztunnel::hyper_util"), drain: make(chan time.Duration, 1)}
}

// run serves until ctx ends, which cuts everything off, or until it has drained. It returns an error only when the
// listeners can't be opened.
func (s *server) run(ctx context.Context) error {
	s.alone.Lock()
	defer s.alone.Unlock()
	listeners := s.endpoint.take()
	if listeners == nil {
		var err error
		if listeners, err = s.endpoint.listen(ctx); err != nil {
			return err
		}
	}
	life, end := context.WithCancel(ctx)
	defer end()
	var doors, connections sync.WaitGroup
	h := &http.Server{
		Handler:           s.guard(life),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       headerTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		Protocols:         new(http.Protocols),
		ConnState:         count(&connections),
		ErrorLog:          log.New(&connectionLog{s.log}, "", 0),
	}
	h.Protocols.SetHTTP1(true)
	for _, l := range listeners {
		s.log.Info("listener established").AddrPort(messages.FieldAddress, l.Addr()).
			Str(messages.FieldComponent, s.endpoint.name).Send()
		doors.Go(func() { s.serve(life, h, l) })
	}
	select {
	case <-ctx.Done():
	case patience := <-s.drain:
		s.shutdown(ctx, h, patience)
	}
	end()
	_ = h.Close() // it closes what is left; there is nothing to do about failures
	doors.Wait()
	connections.Wait()
	for _, l := range listeners {
		s.log.Info("listener drained").AddrPort(messages.FieldAddress, l.Addr()).
			Str(messages.FieldComponent, s.endpoint.name).Send()
	}
	return nil
}

func (s *server) serve(life context.Context, h *http.Server, l socket.Listener) {
	failed := func(err error) {
		s.log.Warn("accept failed, trying again").Str(messages.FieldComponent, s.endpoint.name).Err(err).Send()
	}
	_ = h.Serve(&door{Listener: l, endpoint: s.endpoint, failed: failed, life: life})
}

// count follows the goroutines that net/http serves connections with.
func count(connections *sync.WaitGroup) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			connections.Add(1)
		case http.StateClosed, http.StateHijacked:
			connections.Done()
		case http.StateActive, http.StateIdle:
		}
	}
}

// shutdown closes the listeners and gives running requests some time; 0 is none.
func (s *server) shutdown(ctx context.Context, h *http.Server, patience time.Duration) {
	if patience <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := h.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
		s.log.Warn("drain duration expired with pending connections, forcefully shutting down").
			Str(messages.FieldComponent, s.endpoint.name).Send()
	}
}

// guard gives every request a deadline and a context that ends with the server, not with the client's sending side: a
// client may half-close and still wait for its answer. A handler that panics answers 500.
func (s *server) guard(life context.Context) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
					panic(p)
				}
				s.log.Error("handler failed").Str(messages.FieldComponent, s.endpoint.name).
					Str(messages.FieldError, fmt.Sprint(p)).Str(messages.FieldStack, string(debug.Stack())).Send()
				writeText(w, http.StatusInternalServerError, "internal error\n")
			}
		}()
		answerWithin(w, answerTimeout)
		s.handler.ServeHTTP(w, r.WithContext(withClient(life, r.Context())))
	})
}

// answerWithin bounds how long writing the answer may take. An in-memory connection may not know deadlines.
func answerWithin(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d))
}

type clientKey struct{}

// withClient keeps the client's context beside the one that handlers use.
func withClient(life, client context.Context) context.Context {
	return context.WithValue(life, clientKey{}, client)
}

// clientGone is closed when the client has closed its side. It is for requests that run for long.
func clientGone(ctx context.Context) <-chan struct{} {
	if client, ok := ctx.Value(clientKey{}).(context.Context); ok {
		return client.Done()
	}
	return nil
}

// connectionLog takes net/http's remarks on broken connections.
type connectionLog struct{ log *logs.Logger }

// Write logs one remark.
func (c *connectionLog) Write(b []byte) (int, error) {
	c.log.Debug("http connection failed").Str(messages.FieldError, string(b)).Send()
	return len(b), nil
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text)) // the client is gone, or will see that the answer is short
}
