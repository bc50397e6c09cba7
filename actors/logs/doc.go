// Package logs writes the node's log lines in the forms that Istio's tools expect (spec/ops.md §7): tab-separated text or
// one JSON object a line, filtered by Rust-like scope names.
//
// [New] makes the one [Logs] of a node. [Logs.Scope] gives a [Logger] for a scope such as ztunnel::proxy::outbound; its
// level methods start a [Line], nil when the filter refuses it, to which ordered fields are added until Send hands it on:
//
//	log := logs.Scope("access")
//	log.Info("connection complete").AddrPort("src.addr", src).Str("direction", "outbound").Send()
//
// A refused line costs one atomic load. An accepted one is encoded on the caller's goroutine without allocating (JSON by
// zerolog's encoder, text by our own, since it quotes as Rust does) and appended to a queue of 10,000 lines, which one
// goroutine writes out in batches. No line is ever dropped: when the queue is full, Send waits. The filter can change
// while lines are written.
//
// Any package of actors and bootstrap may use it; messages and transport don't log.
package logs
