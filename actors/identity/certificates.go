package identity

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// RoleCertificates is the actor's role.
const RoleCertificates = "certificates"

// capacity is how many messages may wait for the actor, which is for as long as it handles one: it never waits.
const capacity = 16384

// Spec declares the certificates actor.
func Spec(c Config) kit.Spec {
	c = c.normalized()
	return kit.Spec{
		Role: RoleCertificates, Capacity: capacity, Run: kit.CallerRuns(),
		New: func() actor.Actor { return &certificates{config: c, manager: newManager(c)} },
	}
}

// certificates carries out what manager decides.
type certificates struct {
	config  Config
	manager *manager
	timer   *kit.Timer
	due     time.Time // the timer's
}

// signed is the end of an attempt.
type signed struct {
	attempt
	began       time.Time
	took        time.Duration
	certificate *mtls.Certificate
	err         error
}

// wake says that an attempt may be due.
type wake struct{}

// Receive takes the actor's messages.
func (c *certificates) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *messages.FetchCertificate:
		c.fetchCertificate(ctx, m)
	case *messages.ForgetCertificate:
		c.forgetCertificate(ctx, m)
	case *messages.DumpCertificates:
		c.dumpCertificates(ctx, m)
	case *messages.MeasureCertificates:
		c.measureCertificates(ctx, m)
	case *signed:
		c.signed(ctx, m)
	case *wake:
		c.wake(ctx)
	case *actor.Stopping, *actor.Restarting:
		c.stopping(ctx)
	default:
		kit.Unknown(ctx)
	}
}

func (c *certificates) fetchCertificate(ctx actor.Context, m *messages.FetchCertificate) {
	now := c.config.Now()
	w := waiter{asker: ctx.Sender(), id: m.ID, asked: m.Waited, since: now}
	if a, ok := c.manager.fetch(now, m.Identity, m.Priority, w); ok {
		c.answer(ctx, m.Identity, []answer{a})
	}
	c.proceed(ctx)
}

func (c *certificates) forgetCertificate(ctx actor.Context, m *messages.ForgetCertificate) {
	c.answer(ctx, m.Identity, c.manager.forget(m.Identity))
	c.proceed(ctx)
}

func (c *certificates) dumpCertificates(ctx actor.Context, m *messages.DumpCertificates) {
	if ctx.Sender() == nil {
		return
	}
	ctx.Send(ctx.Sender(), &messages.CertificatesDumped{Answer: c.head(ctx, m.ID, m.Waited), Certificates: c.manager.dump()})
}

func (c *certificates) measureCertificates(ctx actor.Context, m *messages.MeasureCertificates) {
	if ctx.Sender() == nil {
		return
	}
	measured := c.manager.measure(c.config.Now())
	measured.Answer = c.head(ctx, m.ID, m.Waited)
	ctx.Send(ctx.Sender(), &measured)
}

func (c *certificates) signed(ctx actor.Context, m *signed) {
	answers, kept, next := c.manager.finished(c.config.Now(), m.id, m.certificate, m.err)
	ends, overdue := c.manager.overdue(c.config.Now(), m.id)
	c.report(m, kept, next, overdue, ends)
	id, span := c.config.Observe(trace.Signed{
		Identity: m.id, Priority: m.priority, Began: m.began, Took: m.took, Queued: m.queued, Err: m.err, Retained: kept, Overdue: overdue,
	})
	for i := range answers {
		answers[i].trace, answers[i].span = id, span
	}
	c.answer(ctx, m.id, answers)
	c.proceed(ctx)
}

func (c *certificates) wake(ctx actor.Context) {
	c.timer, c.due = nil, time.Time{}
	c.proceed(ctx)
}

func (c *certificates) stopping(ctx actor.Context) {
	all := slices.SortedFunc(maps.Values(c.manager.entries), func(a, b *entry) int { // a map must not decide who hears first
		return strings.Compare(a.id.String(), b.id.String())
	})
	for _, e := range all {
		c.answer(ctx, e.id, c.manager.release(e, answer{err: ErrStopped}))
	}
}

// proceed begins what is to begin and sets the timer for what comes next.
func (c *certificates) proceed(ctx actor.Context) {
	for _, a := range c.manager.begin(c.config.Now()) {
		kit.Go(ctx, func(ctx context.Context) any { return c.config.sign(ctx, a) })
	}
	due := c.manager.wake()
	if due.Equal(c.due) {
		return
	}
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
	if c.due = due; !due.IsZero() {
		c.timer = kit.After(ctx, due.Sub(c.config.Now()), &wake{})
	}
}

func (c *certificates) answer(ctx actor.Context, id messages.Identity, answers []answer) {
	now := c.config.Now()
	for _, a := range answers {
		if a.asker == nil {
			continue
		}
		fetched := &messages.CertificateFetched{
			Answer: c.head(ctx, a.id, a.asked), Identity: id, Err: a.err, Held: now.Sub(a.since), SigningTrace: a.trace, SigningSpan: a.span,
		}
		if a.certificate != nil {
			fetched.Certificate = a.certificate
		}
		ctx.Send(a.asker, fetched)
	}
}

func (c *certificates) head(ctx actor.Context, id uint64, asked time.Duration) messages.Answer {
	return messages.Answer{
		Stamp: messages.Stamp{Sent: kit.SystemOf(ctx).Nanos()}, ID: id, Version: c.manager.version, Asked: asked,
	}
}

// sign is one attempt: a fresh key, a request, the authority's signature. It waits, and runs outside the actor.
func (c *Config) sign(ctx context.Context, a attempt) (end *signed) {
	end = &signed{attempt: a, began: c.Now()}
	defer func() {
		if r := recover(); r != nil { // a signer's panic must not cost the others their certificates
			end.certificate, end.err = nil, fmt.Errorf("signing a certificate for %s: panic: %v", a.id, r)
		}
		end.took = c.Now().Sub(end.began)
	}()
	end.certificate, end.err = c.obtain(ctx, a.id)
	return end
}

func (c *Config) obtain(ctx context.Context, id messages.Identity) (*mtls.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Deadline)
	defer cancel()
	csr, key, err := mtls.NewCSR(id)
	if err != nil {
		return nil, fmt.Errorf("failed to create CSR: %w", err)
	}
	chain, err := c.Signer.Sign(ctx, csr, id)
	if err != nil {
		return nil, err
	}
	certificate, err := mtls.ParseChain(id, key, chain)
	if err != nil {
		return nil, err
	}
	if c.CheckIdentity {
		if err := certificate.CheckIdentity(); err != nil {
			return nil, err
		}
	}
	if now := c.Now(); !now.Before(certificate.NotAfter) {
		return nil, fmt.Errorf("the certificate that the CA made for %s expired at %s already, or our clock is wrong",
			id, certificate.NotAfter.Format(time.RFC3339))
	}
	return certificate, nil
}
