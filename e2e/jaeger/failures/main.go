// Command failures makes connections fail in three ways on two nodes of this process and prints their traces: a policy
// denies one, one finds nobody who listens, and a store is slow. With OTEL_EXPORTER_OTLP_ENDPOINT set, the traces go to
// Jaeger as well, and each failure says what to search for there. Arguments choose some: denied, dead, slow.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/troupe-mesh/troupe/e2e/jaeger"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(names []string) error {
	chosen := jaeger.Failures()
	for _, name := range names {
		if !slices.ContainsFunc(chosen, func(f jaeger.Failure) bool { return f.Name == name }) {
			return fmt.Errorf("there is no failure %q; choose from denied, dead, slow", name)
		}
	}
	if len(names) > 0 {
		chosen = slices.DeleteFunc(chosen, func(f jaeger.Failure) bool { return !slices.Contains(names, f.Name) })
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return jaeger.Show(ctx, os.Stdout, os.Environ(), chosen)
}
