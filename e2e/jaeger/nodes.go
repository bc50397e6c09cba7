package jaeger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/bootstrap/proxy"
)

const stopTimeout = 20 * time.Second

// Options of a Mesh.
type Options struct {
	// Environ has the OTEL_* variables of both nodes.
	Environ []string
	// Exporter gets the spans of both nodes besides; nil does without.
	Exporter trace.Exporter
	// Log takes the logs of both nodes.
	Log io.Writer
}

// Mesh is both nodes in this process, and the application.
type Mesh struct {
	// Faults break the nodes: A's and B's.
	Faults  [2]*fault.Faults
	caDir   string
	app     *application
	proxies [2]*proxy.Proxy
}

// Start starts the mesh and waits until it is ready. It fails when another one runs on the machine.
func Start(ctx context.Context, o Options) (_ *Mesh, err error) {
	m := &Mesh{Faults: [2]*fault.Faults{fault.New(), fault.New()}}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Stop())
		}
	}()
	if m.caDir, err = os.MkdirTemp("", "troupe-jaeger-"); err != nil {
		return nil, fmt.Errorf("make a directory for the mesh's authority: %w", err)
	}
	if m.app, err = startApplication(ctx); err != nil {
		return nil, err
	}
	for i, n := range nodes {
		c, err := config.Load(n.environ(m.caDir), []string{"proxy"}, config.ThisHost())
		if err != nil {
			return nil, fmt.Errorf("configure the proxy of %s: %w", n.name, err)
		}
		options := proxy.Options{Out: o.Log, Environ: o.Environ, Faults: m.Faults[i]}
		if o.Exporter != nil {
			options.Exporters, options.Ratio = []trace.Exporter{o.Exporter}, 1
		}
		if m.proxies[i], err = proxy.Start(ctx, c, options); err != nil {
			return nil, fmt.Errorf("start the proxy of %s (is another such mesh running?): %w", n.name, err)
		}
	}
	for i, p := range m.proxies {
		if err := p.AwaitReady(ctx); err != nil {
			return nil, fmt.Errorf("wait for the proxy of %s: %w", nodes[i].name, err)
		}
	}
	return m, nil
}

// Settle waits until the spans of all that has ended are made and with Options.Exporter.
func (m *Mesh) Settle(ctx context.Context) error {
	for i, p := range m.proxies {
		if err := p.SettleTraces(ctx); err != nil {
			return fmt.Errorf("wait for the spans of %s: %w", nodes[i].name, err)
		}
	}
	return nil
}

// Stop drains both nodes at once, exports what they have, and ends everything.
func (m *Mesh) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var ending sync.WaitGroup
	var errs [2]error
	for i, p := range m.proxies {
		if p != nil {
			ending.Go(func() { errs[i] = p.Shutdown(ctx) })
		}
	}
	ending.Wait()
	if m.app != nil {
		m.app.stop()
	}
	if m.caDir != "" {
		_ = os.RemoveAll(m.caDir)
	}
	return errors.Join(errs[:]...)
}
