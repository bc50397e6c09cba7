package messages

import "time"

// FetchCertificate asks for the certificate of a local identity; the answer waits until there is one or it failed.
// Sent without a sender it only sees to it that there will be one.
type FetchCertificate struct {
	Question
	Identity Identity
	Priority CertificatePriority
}

// CertificatePriority says whose certificate is made first.
type CertificatePriority uint8

// The priorities, the most urgent first.
const (
	PriorityRealTime   CertificatePriority = iota // a connection needs it
	PriorityWarmup                                // a workload came, and will need it
	PriorityBackground                            // a refresh, or another try after a failure
)

// String is the priority's name.
func (p CertificatePriority) String() string {
	return [...]string{"RealTime", "Warmup", "Background"}[p]
}

// ForgetCertificate says that an identity is not local any more: its certificate is dropped, and who waits for it is
// told so.
type ForgetCertificate struct {
	Stamp
	Identity Identity
}

// CertificateFetched answers FetchCertificate. Certificate is opaque here: transport/mtls owns its type.
type CertificateFetched struct {
	Answer
	Identity    Identity
	Certificate any
	Err         error
	// Held is how long the answer waited for the certificate to be made; then SigningTrace and SigningSpan are the trace of
	// that, where there is one.
	Held         time.Duration
	SigningTrace TraceID
	SigningSpan  SpanID
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

// MeasureCertificates asks how the certificates do, for metrics and the dashboard.
type MeasureCertificates struct {
	Question
}

// CertificatesMeasured answers MeasureCertificates. The counts are since the start.
type CertificatesMeasured struct {
	Answer
	// Issued and Failed count finished attempts; Retained are the failed ones after which an older certificate was kept.
	Issued, Failed, Retained uint64
	// Coalesced counts fetches that waited for an attempt which another fetch had caused, Forgotten the dropped identities.
	Coalesced, Forgotten uint64
	// RefusedIdentities and RefusedWaiters count fetches that a bound refused.
	RefusedIdentities, RefusedWaiters uint64
	// Held, Queued, Running and Waiting are how many identities are known, wait for their turn, are being signed, and how
	// many fetches wait, now.
	Held, Queued, Running, Waiting int
	// Overdue are the held certificates that near their end and should have been renewed long ago, Unavailable the
	// identities that have none because the last attempt failed.
	Overdue, Unavailable int
	// Expiries are the held certificates that end first, the soonest first; there is a bound to their number.
	Expiries []CertificateExpiry
}

// CertificateExpiry is how long a certificate is still valid; negative when it has expired.
type CertificateExpiry struct {
	Identity Identity
	In       time.Duration
}

// WatchRevocations subscribes the sender, who has a tunnel whose peer must not be on a revocation list, to
// RevocationsChanged. Version is that of the lists by which the peer was judged last: where they have changed since, the
// sender is told at once. One that can't be watched gets RevocationsUnwatched.
type WatchRevocations struct {
	Version uint64
}

// UnwatchRevocations ends the sender's subscription.
type UnwatchRevocations struct{}

// RevocationsUnwatched answers WatchRevocations: there are too many subscribers already.
type RevocationsUnwatched struct{}

// RevocationsChanged says that the revocation lists changed: peers must be judged again.
type RevocationsChanged struct{}

// AlwaysAdmitted says that a full mailbox takes it all the same: a tunnel must not outlive its peer's certificate for a
// lost notice.
func (*RevocationsChanged) AlwaysAdmitted() {}
