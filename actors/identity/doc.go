// Package identity is the certificates actor: the secret manager of a node (spec/control.md §5.5). It holds the
// certificate of every local identity, has it made by a [Signer] when it is first asked for, and has it made anew when
// half of its life is over.
//
// [Spec] declares the actor. It understands messages.FetchCertificate, ForgetCertificate, DumpCertificates and
// MeasureCertificates. A fetch is answered at once when there is a certificate, or when the last attempt failed and
// the next is not due; otherwise the answer waits for the attempt, which all fetches of an identity share.
//
// What it promises beyond the reference: an expired certificate is never handed out, refreshes are spread by jitter,
// every attempt has a deadline, and identities and waiting fetches are bounded and counted.
//
// The decisions are those of manager, which knows neither actors' contexts nor clocks nor goroutines; the actor
// carries them out. Keys are made and signatures asked for on goroutines of their own.
package identity
