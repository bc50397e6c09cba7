package identity

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// slowCA signs after a while, fails when told to, and keeps a list of whom it was asked for.
type slowCA struct {
	authority *mtls.Authority
	takes     time.Duration

	mu    sync.Mutex
	err   error
	asked []messages.Identity
	busy  int
	most  int
}

func newSlowCA(t *testing.T, life, takes time.Duration) *slowCA {
	t.Helper()
	a, err := mtls.NewAuthority(mtls.AuthorityOptions{Lifetime: life})
	if err != nil {
		t.Fatal(err)
	}
	return &slowCA{authority: a, takes: takes}
}

func (s *slowCA) Sign(ctx context.Context, csr []byte, id messages.Identity) ([]string, error) {
	s.mu.Lock()
	s.asked = append(s.asked, id)
	s.busy++
	s.most = max(s.most, s.busy)
	err := s.err
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.busy--
		s.mu.Unlock()
	}()
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return s.authority.Issue(csr)
}

func (s *slowCA) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *slowCA) calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// signerFunc is a Signer made of a function.
type signerFunc func(ctx context.Context, csr []byte, id messages.Identity) ([]string, error)

func (f signerFunc) Sign(ctx context.Context, csr []byte, id messages.Identity) ([]string, error) {
	return f(ctx, csr, id)
}

func TestLocalSigner(t *testing.T) {
	a, err := mtls.NewAuthority(mtls.AuthorityOptions{})
	if err != nil {
		t.Fatal(err)
	}
	csr, key, err := mtls.NewCSR(identityOf(1))
	if err != nil {
		t.Fatal(err)
	}
	chain, err := Local(a).Sign(t.Context(), csr, identityOf(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mtls.ParseChain(identityOf(1), key, chain); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Local(a).Sign(ctx, csr, identityOf(1)); !errors.Is(err, context.Canceled) {
		t.Fatalf("after the end of its context: %v", err)
	}
}
