package jaeger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/troupe-mesh/troupe/messages"
)

// wholeWithin is how long the spans of a connection may take to come.
const wholeWithin = 10 * time.Second

// Show starts the mesh, makes failures happen and prints, for each, what the client had, what to search for in Jaeger,
// and the traces. environ says where else the traces go.
func Show(ctx context.Context, out io.Writer, environ []string, failures []Failure) (err error) {
	spans := newArrivals(out)
	m, err := Start(ctx, Options{Environ: environ, Exporter: spans, Log: io.Discard})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Stop()) }()
	// So that a tunnel and both certificates are there, and the traces show what goes wrong and nothing else.
	if _, err := Call(ctx, ShopPort); err != nil {
		return fmt.Errorf("make a first call, which nothing must disturb: %w", err)
	}
	if _, err := spans.await(ctx, 1, messages.SpanTunnelClose); err != nil {
		return err
	}
	for _, f := range failures {
		if err := f.show(ctx, out, m, spans); err != nil {
			return fmt.Errorf("%s: %w", f.Title, err)
		}
	}
	return nil
}

func (f Failure) show(ctx context.Context, out io.Writer, m *Mesh, spans *arrivals) error {
	outcomes, err := f.Run(ctx, m)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, wholeWithin)
	defer cancel()
	ids, err := spans.await(waiting, f.Traces, f.End)
	if err != nil {
		return err
	}
	if err := m.Settle(waiting); err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "── %s: %s ──\n\nin Jaeger  %s\n", f.Name, f.Title, f.Search)
	for _, o := range outcomes {
		fmt.Fprintf(&text, "client     %s\n", o)
	}
	if _, err := fmt.Fprintln(out, text.String()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	for _, id := range ids {
		if err := spans.Print(id); err != nil {
			return err
		}
	}
	return nil
}

// String is the search as it is filled in.
func (s Search) String() string {
	text := "Service troupe" // what they are called unless OTEL_SERVICE_NAME says otherwise
	for _, field := range []struct{ name, value string }{{"Operation", s.Operation}, {"Tags", s.Tags}, {"Min Duration", s.MinDuration}} {
		if field.value != "" {
			text += " · " + field.name + " " + field.value
		}
	}
	return text
}

// String is the answer, or what the proxy's SOCKS5 reply said.
func (o Outcome) String() string {
	var op *net.OpError
	switch {
	case o.Err == nil:
		return "was answered: " + o.Answer
	case errors.As(o.Err, &op) && op.Err != nil:
		return "got no connection: " + strings.TrimPrefix(op.Err.Error(), "unknown error ")
	}
	return o.Err.Error()
}
