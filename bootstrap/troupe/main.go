// Command troupe is the node proxy. Without a command, or with proxy, it runs; demo shows what it does on one machine; config
// says what is set, and by what; version and help say what it is (spec/ops.md §2.1).
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/bootstrap/demo"
	"github.com/troupe-mesh/troupe/bootstrap/proxy"
	"github.com/troupe-mesh/troupe/bootstrap/version"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run runs a command and returns the exit code: 0 for a clean end, also after a forced drain, 1 for a failed start or an
// unknown command.
func run(args []string, out, errs io.Writer) int {
	command := "proxy"
	if len(args) > 0 {
		command = args[0]
	}
	build := version.Build(os.Getenv("ISTIO_META_ISTIO_VERSION"))
	var err error
	switch command {
	case "proxy":
		err = serve(args, out)
	case "demo":
		err = show(args[1:], out)
	case "config":
		err = settings(args, out)
	case "version":
		_, err = fmt.Fprintln(out, build)
	case "help":
		err = build.Help(out)
	default:
		_, _ = fmt.Fprintf(errs, "unknown command: %s\n", command) // nobody reads it if it can't be written
		_ = build.Help(out)
		return 1
	}
	if err != nil {
		_, _ = fmt.Fprintf(errs, "Error: %v\n", err)
		return 1
	}
	return 0
}

// serve runs the proxy until a signal or the admin page ends it.
func serve(args []string, out io.Writer) error {
	c, err := config.Load(os.Environ(), args, config.ThisHost())
	if err != nil {
		return err
	}
	signals := proxy.CatchSignals()
	defer signals.Release()
	p, err := proxy.Start(context.Background(), c, proxy.Options{Out: out, Environ: os.Environ(), OwnProcess: true})
	if err != nil {
		return err
	}
	return signals.Run(p)
}

// settings prints the effective configuration, and fails where the proxy would not start with it.
func settings(args []string, out io.Writer) error {
	all, wrong := config.Explain(os.Environ(), args, config.ThisHost())
	if err := config.WriteSettings(out, all); err != nil {
		return err
	}
	if wrong != nil {
		return wrong
	}
	c, err := config.Load(os.Environ(), args, config.ThisHost())
	if err != nil {
		return err
	}
	return proxy.Supported(c)
}

// show runs the demo; an interrupt ends it.
func show(args []string, out io.Writer) error {
	o := demo.Options{Out: out, Environ: os.Environ()}
	for _, arg := range args {
		switch arg {
		case "--keep":
			o.Keep = true
		default:
			return fmt.Errorf("demo: unknown argument %q; it takes --keep only", arg)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return demo.Run(ctx, o)
}
