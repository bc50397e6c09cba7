// Package ca is the client of Istio's certificate service (spec/control.md §5.3, §5.4): it has certificate requests
// signed over gRPC.
//
//	CreateCertificate(csr, validity in seconds, metadata) → chain: leaf, intermediates …, roots
//
// In shared mode the metadata names whom the certificate is for, as ImpersonatedIdentity: a node asks on behalf of its
// pods. In dedicated mode there is none, and the certificate is the caller's own.
//
// A [Client] keeps one connection, and makes another when the file of the CA's roots has changed or the one that it has
// is broken. It keeps no back-off: whoever asks does. What an answer holds is judged by transport/mtls.
package ca
