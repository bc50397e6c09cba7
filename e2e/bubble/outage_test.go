package bubble_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// flaky is a CA that is away at times.
type flaky struct {
	identity.Signer
	away  atomic.Bool
	calls atomic.Int64
}

// Sign fails while the CA is away.
func (f *flaky) Sign(ctx context.Context, csr []byte, id messages.Identity) ([]string, error) {
	f.calls.Add(1)
	if f.away.Load() {
		return nil, errors.New("the CA is away")
	}
	return f.Signer.Sign(ctx, csr, id)
}

// A CA that is away for hours is noticed by nobody while certificates live; when they have expired connections fail and
// say why, what is open goes on, and all is well by itself when it is back.
func TestCAOutageOfHours(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		authority, err := mtls.NewAuthority(mtls.AuthorityOptions{Lifetime: 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		ca := &flaky{Signer: identity.Local(authority)}
		client := w.StartWith("client", bubble.Options{Signer: ca})
		server := w.StartWith("server", bubble.Options{Signer: ca})
		server.Echo("10.0.0.2:8080")
		client.Exchange("10.0.0.2:8080", "at the start")
		lasting := client.Dial("10.0.0.2:8080")
		lasting.Say("x")
		lasting.Hear("x")

		ca.away.Store(true)
		before := ca.calls.Load()
		for range 23 { // the refresh is due after twelve
			w.Pass(time.Hour)
			client.Exchange("10.0.0.2:8080", "while certificates live")
		}
		// Eleven hours, an attempt every 150 s ± 20 % by each of two, and a handful at the start.
		if calls := ca.calls.Load() - before; calls < 300 || calls > 700 {
			t.Errorf("the CA was asked %d times", calls)
		}
		w.Pass(2 * time.Hour)
		client.WantRefused("10.0.0.2:8080")
		client.WantLastAccess(`error="identity error: the CA is away"`)
		client.WantFlag("IDENTITY_ERROR", 1)
		lasting.Say("y")
		lasting.Hear("y")

		ca.away.Store(false)
		w.Pass(4 * time.Minute) // the longest back-off, and something
		client.Exchange("10.0.0.2:8080", "when it is back")
		lasting.Finish()
		for _, n := range []*bubble.Node{client, server} {
			if c := n.Certificate(); c.Expired(time.Now()) {
				t.Error("a certificate that has expired")
			}
		}
	})
}

// Certificates that expire while nobody is asked for anything are not there when somebody is: a CA that hangs is given up.
func TestCAThatHangsWhenCertificatesExpire(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		hangs := make(chan struct{})
		var stuck atomic.Bool
		authority, err := mtls.NewAuthority(mtls.AuthorityOptions{Lifetime: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		local := identity.Local(authority)
		ca := signer(func(ctx context.Context, csr []byte, id messages.Identity) ([]string, error) {
			if stuck.Load() {
				select {
				case <-hangs:
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			return local.Sign(ctx, csr, id)
		})
		client := w.StartWith("client", bubble.Options{Signer: ca})
		server := w.StartWith("server", bubble.Options{Signer: ca})
		server.Echo("10.0.0.2:8080")
		client.Exchange("10.0.0.2:8080", "hello")
		stuck.Store(true)
		w.Pass(61 * time.Minute)
		began := time.Now()
		client.WantRefused("10.0.0.2:8080")
		if took := time.Since(began); took > 35*time.Second {
			t.Errorf("a call was held for %v by a CA that hangs", took)
		}
		close(hangs)
		w.Pass(4 * time.Minute)
		client.Exchange("10.0.0.2:8080", "hello again")
	})
}

type signer func(context.Context, []byte, messages.Identity) ([]string, error)

// Sign is the function.
func (f signer) Sign(ctx context.Context, csr []byte, id messages.Identity) ([]string, error) {
	return f(ctx, csr, id)
}
