package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
)

// impostor signs whatever it is asked for in the name of as.
func impostor(as messages.Identity) signerFunc {
	return func(_ context.Context, csrPEM []byte, _ messages.Identity) ([]string, error) {
		block, _ := pem.Decode(csrPEM)
		request, err := x509.ParseCertificateRequest(block.Bytes)
		if err != nil {
			return nil, err
		}
		uri, err := url.Parse(as.String())
		if err != nil {
			return nil, err
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		root := &x509.Certificate{
			SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		}
		leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: root.NotBefore, NotAfter: root.NotAfter, URIs: []*url.URL{uri}}
		var chain []string
		for _, made := range []struct {
			of  *x509.Certificate
			key any
		}{{leaf, request.PublicKey}, {root, key.Public()}} {
			der, err := x509.CreateCertificate(rand.Reader, made.of, root, made.key, key)
			if err != nil {
				return nil, err
			}
			chain = append(chain, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
		}
		return chain, nil
	}
}

func TestCertificateForSomebodyElse(t *testing.T) {
	for _, checked := range []bool{true, false} {
		perform(t, func(t *testing.T) Config {
			c := with(impostor(identityOf(2)))(t)
			c.CheckIdentity = checked
			return c
		}, func(s *stage) {
			f := s.fetch(identityOf(1))
			var wrong *mtls.WrongIdentityError
			if errors.As(f.Err, &wrong) != checked || (f.Certificate == nil) != checked {
				s.Errorf("checked %v: fetched %+v", checked, f)
			}
		})
	}
}

// A CA whose certificates have ended already, or whose intermediate has, is not believed; one that dates them into the future
// is asked again.
func TestCertificatesOfAnotherTime(t *testing.T) {
	of := func(from, life time.Duration) signerFunc {
		return func(_ context.Context, csr []byte, _ messages.Identity) ([]string, error) {
			a, err := mtls.NewAuthority(mtls.AuthorityOptions{Lifetime: life, Now: func() time.Time { return time.Now().Add(from) }})
			if err != nil {
				return nil, err
			}
			return a.Issue(csr)
		}
	}
	for name, test := range map[string]struct {
		ca   signerFunc
		want string // part of the error
	}{
		"ended":          {of(-2*time.Hour, time.Hour), "expired at"},
		"ends this very": {of(-time.Hour, time.Hour), "expired at"},
		"not yet valid":  {of(time.Hour, time.Hour), ""},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			perform(t, func(t *testing.T) Config {
				return with(signerFunc(func(ctx context.Context, csr []byte, id messages.Identity) ([]string, error) {
					calls++
					return test.ca(ctx, csr, id)
				}))(t)
			}, func(s *stage) {
				f := s.fetch(identityOf(1))
				if test.want == "" {
					if f.Err != nil {
						s.Fatal(f.Err)
					}
					s.pass(10 * time.Second)
					if calls < 5 {
						s.Errorf("asked %d times in ten seconds for one that is not valid yet", calls)
					}
					return
				}
				if f.Err == nil || !strings.Contains(f.Err.Error(), test.want) {
					s.Errorf("fetched %+v", f)
				}
			})
		})
	}
}
