package istiod

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/wire/ca"
)

// maxLifetime is the longest validity that istiod grants, as its MAX_WORKLOAD_CERT_TTL does by default.
const maxLifetime = 90 * 24 * time.Hour

// CA is the certificate service: it goes to [Options].Register by its method of that name. It signs as istiod does: for the
// caller, or for whom the caller names, whatever the request says; the leaf first, then intermediates, then all roots in
// one element.
type CA struct {
	ca.UnimplementedIstioCertificateServiceServer

	// Caller is who callers are known to be.
	Caller messages.Identity
	// Callers, where set, are who the bearers of tokens are; nobody else is served. It must be set before the first call.
	Callers map[string]messages.Identity
	// Backdate is how far before now certificates begin; two minutes, as with istiod, unless changed before the first call.
	Backdate time.Duration
	// Refuse, where set, is asked whether a call is to fail; it may wait. It must be set before the first call.
	Refuse func(ctx context.Context, s Signing) error
	// Change, where set, changes an answer. It must be set before the first call.
	Change func(s Signing, chain []string) []string

	mu      sync.Mutex
	issuers []*Issuer // the signing one, then those above it; the last is a root
	roots   []*Issuer
	calls   []Signing
}

// Signing is a call that came.
type Signing struct {
	At time.Time
	// Request is what was asked; Parsed the certificate request in it, and For whom the certificate is for.
	Request *ca.IstioCertificateRequest
	Parsed  *x509.CertificateRequest
	For     messages.Identity
	// Impersonated says that the caller asked on behalf of For.
	Impersonated bool
	Headers      metadata.MD
}

var _ ca.IstioCertificateServiceServer = (*CA)(nil)

// NewCA is a service that signs with a root of its own.
func NewCA() (*CA, error) {
	root, err := NewIssuer("root", nil)
	if err != nil {
		return nil, err
	}
	c := &CA{Caller: messages.Identity{TrustDomain: messages.DefaultTrustDomain, Namespace: "istio-system", ServiceAccount: "ztunnel"}, Backdate: backdate}
	c.SignBy(root)
	c.Trust(root)
	return c, nil
}

// Register adds the service to a server.
func (c *CA) Register(r grpc.ServiceRegistrar) { ca.RegisterIstioCertificateServiceServer(r, c) }

// SignBy makes an issuer sign from now on; those above it, without the last, go into the chain.
func (c *CA) SignBy(i *Issuer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.issuers = nil
	for ; i != nil; i = i.parent {
		c.issuers = append(c.issuers, i)
	}
}

// Trust makes these roots be delivered from now on.
func (c *CA) Trust(roots ...*Issuer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.roots = roots
}

// Signer is who signs now.
func (c *CA) Signer() *Issuer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.issuers[0]
}

// Calls are those that came so far.
func (c *CA) Calls() []Signing {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Signing(nil), c.calls...)
}

// CreateCertificate serves a call.
func (c *CA) CreateCertificate(ctx context.Context, r *ca.IstioCertificateRequest) (*ca.IstioCertificateResponse, error) {
	s := Signing{At: time.Now(), Request: r, For: c.Caller}
	s.Headers, _ = metadata.FromIncomingContext(ctx)
	if c.Callers != nil {
		token, _ := strings.CutPrefix(strings.Join(s.Headers.Get("authorization"), ""), "Bearer ")
		caller, known := c.Callers[token]
		if !known {
			return nil, status.Error(codes.Unauthenticated, "request authenticate failure")
		}
		s.For = caller
	}
	if named := r.GetMetadata().GetFields()["ImpersonatedIdentity"].GetStringValue(); named != "" {
		id, err := messages.ParseIdentity(named)
		if err != nil {
			return nil, status.Error(codes.Unauthenticated, "request impersonation authentication failure")
		}
		s.For, s.Impersonated = id, true
	}
	block, _ := pem.Decode([]byte(r.Csr))
	if block == nil {
		return nil, status.Error(codes.InvalidArgument, "CSR signing error: failed to decode PEM")
	}
	var err error
	if s.Parsed, err = x509.ParseCertificateRequest(block.Bytes); err == nil {
		err = s.Parsed.CheckSignature()
	}
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, "CSR signing error: "+err.Error())
	}
	c.mu.Lock()
	c.calls = append(c.calls, s)
	issuers, roots := c.issuers, c.roots
	c.mu.Unlock()
	if c.Refuse != nil {
		if err := c.Refuse(ctx, s); err != nil {
			return nil, err
		}
	}
	lifetime := time.Duration(r.ValidityDuration) * time.Second
	if lifetime > maxLifetime {
		return nil, status.Error(codes.InvalidArgument, "requested TTL is greater than the max allowed")
	}
	leaf, err := issuers[0].Leaf(s.Parsed.PublicKey, s.For, c.Backdate, lifetime)
	if err != nil {
		return nil, status.Error(codes.Internal, "CSR signing error: "+err.Error())
	}
	chain := []string{leaf}
	for _, i := range issuers[:len(issuers)-1] {
		chain = append(chain, i.PEM())
	}
	bundle := ""
	for _, root := range roots {
		bundle += root.PEM()
	}
	chain = append(chain, bundle)
	if c.Change != nil {
		chain = c.Change(s, chain)
	}
	return &ca.IstioCertificateResponse{CertChain: chain}, nil
}
