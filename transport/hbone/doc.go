// Package hbone is HTTP/2 CONNECT and nothing else, in both roles: the tunnel between two nodes. A [Client] opens
// streams over one connection, a [Server] answers them; a [Stream] is a byte stream with half-close in both
// directions. It runs over any net.Conn, in production a *tls.Conn over a [Coalescer].
//
// On the wire it is RFC 9113: after the client's preface every frame is
//
//	length (24 bits) | type (8) | flags (8) | R + stream id (32) | payload
//
// DATA is parsed as it arrives, never as a whole frame, since peers may send frames of 1 MiB; header blocks go
// through HPACK; everything else is a few bytes.
//
// Two goroutines belong to a connection: the reader, which never waits for a write of its own or for an
// application, and the writer, which is parked unless the socket refuses bytes. Frames are queued under one lock
// and written, without it, by whoever found nobody writing; the others leave their frame and go. Bytes for an
// application go from the reader straight into its socket ([Stream.Deliver]); a goroutine exists for that only
// while the application is slow, and holds at most the stream's window.
//
// A peer is not trusted: headers, resets, pings, settings, continuations and empty frames are limited, waiting is
// bounded by the deadlines of [Settings], and each refusal is counted in [Stats]. The rules are those of
// spec/dataplane.md §3.6, §3.8 and §4.5.
package hbone
