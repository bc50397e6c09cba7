package messages

import "time"

// FetchCertificate asks for the certificate of a local identity; the answer waits until there is one or it failed.
type FetchCertificate struct {
	Question
	Identity Identity
}

// CertificateFetched answers FetchCertificate. Certificate is opaque here: transport/mtls owns its type.
type CertificateFetched struct {
	Answer
	Identity    Identity
	Certificate any
	Err         error
	// Held is how long the answer waited for the certificate to be made.
	Held time.Duration
}

// DumpCertificates asks for every certificate that is held, for the admin page.
type DumpCertificates struct {
	Question
}

// CertificatesDumped answers DumpCertificates, sorted by identity.
type CertificatesDumped struct {
	Answer
	Certificates []CertificateDump
}

// CertificateDump is one identity's certificate as the admin page shows it.
type CertificateDump struct {
	Identity string
	// State is Initializing, Available, or Unavailable: <reason>.
	State string
	Chain []CertificatePEM
	Roots []CertificatePEM
}

// CertificatePEM is one certificate of a dump.
type CertificatePEM struct {
	PEM                 []byte
	SerialNumber        string // decimal
	NotBefore, NotAfter time.Time
}
