package identity

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// stage is the actor in virtual time.
type stage struct {
	*testing.T
	system *kit.System
	pid    *actor.PID
}

func perform(t *testing.T, c func(t *testing.T) Config, play func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		system := kit.NewSystem(kit.Config{Log: func(e kit.Event) {
			if _, ok := e.(kit.LeftBehind); !ok {
				t.Errorf("event %#v", e)
			}
		}})
		pid, err := system.SpawnRoot(Spec(c(t)), RoleCertificates)
		if err != nil {
			t.Fatal(err)
		}
		play(&stage{T: t, system: system, pid: pid})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := system.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
}

func with(ca Signer) func(*testing.T) Config {
	return func(*testing.T) Config { return Config{Signer: ca, Random: func() float64 { return 0 }} }
}

func (s *stage) fetch(id messages.Identity) *messages.CertificateFetched {
	s.Helper()
	f, err := kit.AskFor[*messages.CertificateFetched](s.Context(), s.system, s.pid, &messages.FetchCertificate{Identity: id}, time.Hour)
	if err != nil {
		s.Fatal(err)
	}
	return f
}

func (s *stage) certificate(id messages.Identity) *mtls.Certificate {
	s.Helper()
	f := s.fetch(id)
	c, ok := f.Certificate.(*mtls.Certificate)
	if !ok || f.Err != nil || f.Identity != id {
		s.Fatalf("fetched %+v", f)
	}
	return c
}

func (s *stage) measure() *messages.CertificatesMeasured {
	s.Helper()
	m, err := kit.AskFor[*messages.CertificatesMeasured](s.Context(), s.system, s.pid, &messages.MeasureCertificates{}, time.Second)
	if err != nil {
		s.Fatal(err)
	}
	return m
}

func (s *stage) dump() []messages.CertificateDump {
	s.Helper()
	d, err := kit.AskFor[*messages.CertificatesDumped](s.Context(), s.system, s.pid, &messages.DumpCertificates{}, time.Second)
	if err != nil {
		s.Fatal(err)
	}
	return d.Certificates
}

// pass lets time pass.
func (s *stage) pass(d time.Duration) {
	s.Helper()
	<-time.After(d)
	synctest.Wait()
}

func TestStressCaching(t *testing.T) {
	var ca *slowCA
	perform(t, func(t *testing.T) Config {
		ca = newSlowCA(t, time.Hour, time.Millisecond)
		return with(ca)(t)
	}, func(s *stage) {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for n := range 100 {
					f, err := kit.AskFor[*messages.CertificateFetched](s.Context(), s.system, s.pid,
						&messages.FetchCertificate{Identity: identityOf(n)}, time.Hour)
					if err != nil || f.Err != nil {
						s.Error(err, f)
					}
				}
			})
		}
		wg.Wait()
		if m := s.measure(); m.Held != 100 || m.Issued != 100 || m.Waiting != 0 || ca.calls() != 100 {
			s.Errorf("%d calls, %+v", ca.calls(), m)
		}
		if ca.most > 8 {
			s.Errorf("%d calls at a time: want at most 8", ca.most)
		}
	})
}

func TestConcurrency(t *testing.T) {
	var ca *slowCA
	perform(t, func(t *testing.T) Config {
		ca = newSlowCA(t, time.Hour, time.Second)
		c := with(ca)(t)
		c.Concurrency = 4
		return c
	}, func(s *stage) {
		began := time.Now()
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() { s.fetch(identityOf(n)) })
		}
		wg.Wait()
		if took := time.Since(began); took != 2*time.Second || ca.most != 4 {
			s.Errorf("8 calls of a second took %v, %d at a time: want 2s with 4", took, ca.most)
		}
	})
}

func TestAnswerSaysHowLongItWaited(t *testing.T) {
	perform(t, func(t *testing.T) Config { return with(newSlowCA(t, time.Hour, 3*time.Second))(t) }, func(s *stage) {
		if f := s.fetch(identityOf(1)); f.Held != 3*time.Second {
			s.Errorf("held for %v: want 3s", f.Held)
		}
		if f := s.fetch(identityOf(1)); f.Held != 0 {
			s.Errorf("then for %v: want 0", f.Held)
		}
	})
}

func TestRefresh(t *testing.T) {
	var ca *slowCA
	perform(t, func(t *testing.T) Config {
		ca = newSlowCA(t, time.Hour, time.Second)
		return with(ca)(t)
	}, func(s *stage) {
		first := s.certificate(identityOf(1))
		s.pass(25 * time.Minute)
		if again := s.certificate(identityOf(1)); again != first || ca.calls() != 1 {
			s.Fatalf("another certificate before half-life, %d calls", ca.calls())
		}
		s.pass(10 * time.Minute)
		second := s.certificate(identityOf(1))
		if second == first || !second.NotBefore.After(first.NotBefore) || second.SerialNumber() == first.SerialNumber() || ca.calls() != 2 {
			s.Fatalf("no newer certificate after half-life, %d calls", ca.calls())
		}
	})
}

func TestRetentionAndExpiry(t *testing.T) {
	var ca *slowCA
	perform(t, func(t *testing.T) Config {
		ca = newSlowCA(t, time.Hour, 0)
		return with(ca)(t)
	}, func(s *stage) {
		first := s.certificate(identityOf(1))
		ca.fail(errCA)
		s.pass(time.Until(first.NotAfter) - time.Second)
		if kept := s.certificate(identityOf(1)); kept != first {
			s.Fatal("not the retained certificate")
		}
		if m := s.measure(); m.Retained == 0 || m.Failed != m.Retained {
			s.Errorf("%+v", m)
		}
		s.pass(2 * time.Second)
		if f := s.fetch(identityOf(1)); f.Certificate != nil || !errors.Is(f.Err, errCA) {
			s.Fatalf("after expiry: %+v", f)
		}
		ca.fail(nil)
		s.pass(3 * time.Minute)
		if fresh := s.certificate(identityOf(1)); fresh == first {
			s.Fatal("the expired certificate")
		}
	})
}

func TestAHangingCAEndsAtTheDeadline(t *testing.T) {
	perform(t, func(t *testing.T) Config {
		c := with(newSlowCA(t, time.Hour, 24*time.Hour))(t)
		c.Deadline = 10 * time.Second
		return c
	}, func(s *stage) {
		f := s.fetch(identityOf(1))
		if !errors.Is(f.Err, context.DeadlineExceeded) || f.Held != 10*time.Second || f.Certificate != nil {
			s.Errorf("fetched %+v", f)
		}
	})
}

func TestWhatAnAttemptRefuses(t *testing.T) {
	other, err := mtls.NewAuthority(mtls.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		signer signerFunc
		want   string
	}{
		{"error", func(context.Context, []byte, messages.Identity) ([]string, error) { return nil, errCA }, "the CA says no"},
		{"panic", func(context.Context, []byte, messages.Identity) ([]string, error) { panic("boom") }, "panic: boom"},
		{
			"empty chain", func(context.Context, []byte, messages.Identity) ([]string, error) { return nil, nil },
			"chain returned from CA is empty for: spiffe://cluster.local/ns/default/sa/id1",
		},
		{"another key", func(context.Context, []byte, messages.Identity) ([]string, error) {
			csr, _, err := mtls.NewCSR(identityOf(1))
			if err != nil {
				return nil, err
			}
			return other.Issue(csr)
		}, "the leaf is not for our private key"},
		{"expired already", func(_ context.Context, csr []byte, _ messages.Identity) ([]string, error) {
			past := func() time.Time { return time.Now().Add(-25 * time.Hour) }
			a, err := mtls.NewAuthority(mtls.AuthorityOptions{Now: past})
			if err != nil {
				return nil, err
			}
			return a.Issue(csr)
		}, "already, or our clock is wrong"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			perform(t, func(t *testing.T) Config {
				return with(tt.signer)(t)
			}, func(s *stage) {
				f := s.fetch(identityOf(1))
				if f.Certificate != nil || f.Err == nil || !strings.Contains(f.Err.Error(), tt.want) {
					s.Errorf("fetched %+v: want %q", f, tt.want)
				}
			})
		})
	}
}

func TestForgottenWhileWaiting(t *testing.T) {
	perform(t, func(t *testing.T) Config { return with(newSlowCA(t, time.Hour, time.Minute))(t) }, func(s *stage) {
		var wg sync.WaitGroup
		wg.Go(func() {
			if f := s.fetch(identityOf(1)); !errors.Is(f.Err, ErrForgotten) {
				s.Errorf("fetched %+v", f)
			}
		})
		synctest.Wait()
		s.system.Send(s.pid, &messages.ForgetCertificate{Identity: identityOf(1)})
		wg.Wait()
		if d := s.dump(); len(d) != 0 {
			s.Errorf("still held: %+v", d)
		}
	})
}

func TestStopTellsAllThatWait(t *testing.T) {
	perform(t, func(t *testing.T) Config { return with(newSlowCA(t, time.Hour, time.Minute))(t) }, func(s *stage) {
		var wg sync.WaitGroup
		for n := range 3 {
			wg.Go(func() {
				if f := s.fetch(identityOf(n)); !errors.Is(f.Err, ErrStopped) {
					s.Errorf("fetched %+v", f)
				}
			})
		}
		synctest.Wait()
		s.system.Stop(s.pid)
		wg.Wait()
	})
}

func TestPrefetchNeedsNoAsker(t *testing.T) {
	var ca *slowCA
	perform(t, func(t *testing.T) Config {
		ca = newSlowCA(t, time.Hour, 0)
		return with(ca)(t)
	}, func(s *stage) {
		s.system.Send(s.pid, &messages.FetchCertificate{Identity: identityOf(1), Priority: warmup})
		s.pass(time.Second)
		if f := s.fetch(identityOf(1)); f.Certificate == nil || f.Held != 0 || ca.calls() != 1 {
			s.Errorf("fetched %+v after %d calls", f, ca.calls())
		}
	})
}
