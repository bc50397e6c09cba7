package mtls

import (
	"errors"
	"strings"

	"github.com/troupe-mesh/troupe/messages"
)

// ErrNoTrustAnchor says that a certificate came with no root that can anchor a chain: no peer can be verified.
var ErrNoTrustAnchor = errors.New("no trust anchor: none of the roots delivered with our certificate may sign certificates")

// PeerError is a handshake that failed because the peer's certificate was refused.
type PeerError struct {
	Err error
}

// Error is the reference's wording (spec/dataplane.md §4.2).
func (e *PeerError) Error() string { return "invalid peer certificate: " + e.Err.Error() }

// Unwrap is why it was refused: a *SANError, a *TrustDomainError or an error of crypto/x509.
func (e *PeerError) Unwrap() error { return e.Err }

// SANError is a server that is none of those that were expected.
type SANError struct {
	Expected, Presented []messages.Identity
}

// Error is the reference's wording.
func (e *SANError) Error() string {
	return "identity verification error: peer did not present the expected SAN (" + joined(e.Expected) + "), got " +
		joined(e.Presented)
}

// TrustDomainError is a client of another trust domain than ours, or without any SPIFFE id.
type TrustDomainError struct {
	Expected  string
	Presented []messages.Identity
}

// Error is the reference's wording.
func (e *TrustDomainError) Error() string {
	return "identity verification error: peer did not present the expected trustdomain (" + e.Expected + "), got " +
		joined(e.Presented)
}

// RevokedError is a peer whose certificate, or that of one of its CAs, is on a revocation list.
type RevokedError struct {
	// SerialNumber is the revoked certificate's, in decimal, Issuer the name of who issued and revoked it.
	SerialNumber, Issuer string
	// Intermediate says that it is a CA's, not the peer's own.
	Intermediate bool
}

// Error begins with the reference's word.
func (e *RevokedError) Error() string {
	whose := "its certificate"
	if e.Intermediate {
		whose = "the certificate of its CA"
	}
	return "Revoked: " + whose + ", serial number " + e.SerialNumber + ", is on the revocation list of " + e.Issuer
}

// RevocationListError is a revocation list that is about a peer's certificate and can't be believed: the peer is refused.
type RevocationListError struct {
	// Issuer is the list's.
	Issuer string
	Err    error
}

// Error names the list by its issuer.
func (e *RevocationListError) Error() string {
	return "the revocation list of " + e.Issuer + " can't be used (see CRL_PATH): " + e.Err.Error()
}

// Unwrap is why it can't be used.
func (e *RevocationListError) Unwrap() error { return e.Err }

// EmptyChainError is a CA that answered with no certificate at all.
type EmptyChainError struct {
	Identity messages.Identity
}

// Error is the reference's wording.
func (e *EmptyChainError) Error() string {
	return "chain returned from CA is empty for: " + e.Identity.String()
}

// WrongIdentityError is a CA that answered with a certificate for somebody else.
type WrongIdentityError struct {
	Identity messages.Identity
}

// Error is the reference's wording.
func (e *WrongIdentityError) Error() string {
	return "did not find expected SAN: " + e.Identity.String()
}

func joined(ids []messages.Identity) string {
	var b strings.Builder
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(id.String())
	}
	return b.String()
}
