package trace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
)

// Defaults of Options.
const (
	DefaultSlow       = time.Second
	DefaultQueue      = 4096
	DefaultMaxSeries  = 20_000
	DefaultMaxFollows = 10_000
	DefaultLatePerSec = 50
)

// Options configure Telemetry. The zero value traces nothing, logs nothing and counts everything.
type Options struct {
	// Provider makes and exports spans; nil turns tracing off.
	Provider *Provider
	// Logs takes the lines; nil drops them.
	Logs *logs.Logs
	// Tag is the build tag of istio_build; empty is written as unknown.
	Tag string
	// PolicyInfo raises policy decision lines from debug to info (AUTHZ_POLICY_INFO_LOGGING).
	PolicyInfo bool
	// Slow is the set-up time from which a connection's spans are kept whatever the head decision; zero is DefaultSlow,
	// negative is never.
	Slow time.Duration
	// Seed makes ids repeatable; nil draws them from the runtime's random source.
	Seed *[2]uint64
	// Queue bounds the jobs that wait for the worker, MaxSeries the label sets of the traffic metrics, MaxFollows the
	// open connections that get segments, LatePerSec the late keeps of each cause a second. Zero is the default.
	Queue, MaxSeries, MaxFollows, LatePerSec int
}

func (o *Options) fill() error {
	for _, n := range []struct {
		name  string
		value *int
		def   int
	}{
		{"Queue", &o.Queue, DefaultQueue},
		{"MaxSeries", &o.MaxSeries, DefaultMaxSeries},
		{"MaxFollows", &o.MaxFollows, DefaultMaxFollows},
		{"LatePerSec", &o.LatePerSec, DefaultLatePerSec},
	} {
		if *n.value < 0 {
			return fmt.Errorf("telemetry option %s: %d is negative; want 0 for the default or a positive number", n.name, *n.value)
		}
		if *n.value == 0 {
			*n.value = n.def
		}
	}
	if o.Slow == 0 {
		o.Slow = DefaultSlow
	}
	if o.Logs == nil {
		o.Logs = logs.Discard()
	}
	return nil
}

// Telemetry is the one owner of traces, access log and metrics of a node. Its methods may be called from any goroutine;
// those that take a Record must be called by the record's owner.
type Telemetry struct {
	options  Options
	provider *Provider
	access   *logs.Logger
	state    *logs.Logger
	actors   *logs.Logger
	traces   *logs.Logger
	// revocation tells of tunnels that end because their peer was revoked.
	revocation *logs.Logger
	ids        *idSource
	metrics    *Metrics
	late       lateLimits
	queries    *logs.Logger
	// unknownLines limits the lines about unknown policies, exportLines those about exports that failed.
	unknownLines, exportLines *bucket
	// applies limits the traces of what the control plane says.
	applies *bucket
	peers   *peerLimits
	worker  *worker
	follows *follows
}

// New makes Telemetry and starts its worker; Shutdown ends it.
func New(o Options) (*Telemetry, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	t := &Telemetry{
		options:    o,
		provider:   o.Provider,
		access:     o.Logs.Scope(scopeAccess),
		state:      o.Logs.Scope(scopeState),
		actors:     o.Logs.Scope(scopeActors),
		traces:     o.Logs.Scope(scopeTraces),
		revocation: o.Logs.Scope(scopeCRL),
		ids:        newIDSource(o.Seed),
		metrics:    newMetrics(o.Tag, o.MaxSeries),
		late:       newLateLimits(o.LatePerSec),
		peers:      newPeerLimits(),
		queries:    o.Logs.Scope(scopeDNS),

		unknownLines: newBucket(1),
		exportLines:  newBucket(1),
		applies:      newBucket(appliesPerSec),
	}
	if t.provider != nil {
		t.metrics.provider = t.provider
		report := t.exportFailed
		t.provider.onError.Store(&report)
		t.worker = startWorker(o.Queue, &t.metrics.jobsCut)
		t.follows = startFollows(o.MaxFollows, t)
	}
	return t, nil
}

// Tracing reports whether spans are made at all.
func (t *Telemetry) Tracing() bool { return t.provider != nil }

// Metrics are the node's metrics, for those who count something that is no connection.
func (t *Telemetry) Metrics() *Metrics { return t.metrics }

// exportFailed warns of spans that an exporter lost, at most once a second; the metric counts all.
func (t *Telemetry) exportFailed(spans int, err error) {
	if t.exportLines.allow(time.Now()) {
		t.traces.Warn("spans could not be exported").Int(messages.FieldSpans, int64(spans)).Err(err).Send()
	}
}

// Flush waits until every span handed over so far was exported, or ctx ends.
func (t *Telemetry) Flush(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	if err := t.worker.flush(ctx); err != nil {
		return fmt.Errorf("flush spans: %w", err)
	}
	return t.provider.flush(ctx)
}

// Settle waits until every span of what was handed over so far is made and with the direct exporters, or ctx ends.
func (t *Telemetry) Settle(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	if err := t.worker.flush(ctx); err != nil {
		return fmt.Errorf("settle spans: %w", err)
	}
	return nil
}

// Shutdown makes and exports what is queued, ends the worker and closes the exporters; what is not out when ctx ends
// is lost. Calls with records after it still count and log, and make no spans.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	t.follows.stop()
	err := t.worker.stop(ctx)
	return errors.Join(err, t.provider.shutdown(ctx))
}
