package identity

import (
	"context"
	"fmt"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// Signer is a certificate authority. Sign has the request, in PEM, signed for id, and returns the chain in the form of
// spec/control.md §5.3. It is called from several goroutines and must return soon after ctx ends.
type Signer interface {
	Sign(ctx context.Context, csrPEM []byte, id messages.Identity) (chain []string, err error)
}

// Local is an authority in this process as a Signer (FAKE_CA).
func Local(a *mtls.Authority) Signer { return local{a} }

type local struct{ authority *mtls.Authority }

func (l local) Sign(ctx context.Context, csrPEM []byte, id messages.Identity) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("signing a certificate for %s: %w", id, err)
	}
	return l.authority.Issue(csrPEM)
}
