// Package grpcdial makes the gRPC connections to the control plane, for discovery and for certificates
// (spec/control.md §2.2, §2.3): TLS 1.3 with the configured roots and server names, keepalive, and on each call the
// bearer token, the cluster's id and extra headers.
//
// [Dial] reads the roots, and every call reads the token's file, so that rotated ones count from the next connection and
// the next call on. A connection is made for one attempt: who finds it broken closes it and dials again, with a back-off of
// its own.
package grpcdial
