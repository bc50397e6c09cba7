// Package mtls is the mutual TLS between node proxies: workload certificates, the certificate requests that lead to
// them, and the crypto/tls configurations that verify a peer by its SPIFFE id.
//
// A peer presents a certificate whose URI SAN is spiffe://<trust domain>/ns/<namespace>/sa/<service account>. Names
// of hosts play no part. Both sides verify the chain against the roots that came with their own certificate; the
// client then wants one of the ids that it expects (spec/dataplane.md §4.2, spec/control.md §5.9), the server wants
// its own trust domain (spec/control.md §5.8).
//
// Decisions where Go and the reference's verifier (webpki) differ:
//
//   - A trust anchor is a name, a key and its name constraints. Its own validity, extended key usage and path
//     length are not looked at, so that an expired root which a CA still delivers does not stop the mesh. A root
//     that may not sign certificates at all is left out of the anchors and named in Certificate.Skipped.
//   - Validity, extended key usage and path length of leafs and intermediates are enforced. No extended key usage at
//     all is accepted, as is the any usage, which webpki refuses.
//   - A certificate of ours ends with the first intermediate that it can't do without, not only with its leaf: it is
//     renewed, warned of and given up by that time.
//   - A certificate that is a CA is refused as a leaf, even when it is itself an anchor.
//   - No anchors means that nobody is trusted, never the system's roots.
//   - TLS takes AES-GCM only, in 1.3 too, where Go has no setting for it: its lists are made shorter, for the process as
//     a whole. Under GOFIPS140 Go's own lists of approved suites do the same.
//   - Go takes a post-quantum group whenever both sides have one. So that ordinary handshakes stay with X25519, the
//     server offers X25519MLKEM768 only to a client that has no classical group, and the client offers it always,
//     which is how peers under COMPLIANCE_POLICY=pqc are reached and served.
//   - The trust domain is required of the id that policy will use, the first one, and not of just any of the peer's.
//   - Sessions never resume, and all checks sit where a resumption would meet them too.
//
// Nothing here opens sockets, keeps time-outs or logs; whoever runs a handshake sets its deadline. All types are safe
// for concurrent use.
package mtls
