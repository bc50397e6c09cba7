// Package traceparent reads and writes the two headers of W3C Trace Context that go with a CONNECT.
//
//	traceparent: 00-{32 hex trace id}-{16 hex span id}-{2 hex flags}     55 characters, version 00 only
//	tracestate:  key=value,key=value,…                                   up to 32 members
//
// The mark troupe=1 in tracestate says that the sender exports the span that its traceparent names, so that the
// receiver may make it a parent; other proxies send ids that nobody exports (TRACING.md §4). Everything that is
// not exactly well-formed is treated as absent: the bytes come from a peer.
package traceparent
