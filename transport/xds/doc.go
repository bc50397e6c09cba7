// Package xds is the client side of the delta form of xDS as istiod speaks it, for two types of resources: addresses
// (workloads and services) and authorization policies (spec/control.md §2).
//
// On one stream both types travel. The client names itself in the first request for each type; an initial request without
// names means everything, one that subscribes to * and unsubscribes from it in the same message means nothing yet, and names
// follow one by one (on demand). It echoes the names and versions that it still holds from an earlier stream, so that only
// the difference comes. Each response is then acknowledged by its nonce:
//
//	initial request ──► response ──► ACK   all resources were taken in
//	                             └─► NACK  some were not; the others were all the same
//
// A resource that was rejected is never echoed with its version, for the server would then believe it to be held and not
// send it again. A server that was told more names than fit a request gets none, and sends everything; what its first
// response then lacks has gone.
//
// [Session] is one stream's side of this and [Ledger] what is held over all streams; [Backoff] says when to try again.
// None of them knows sockets, clocks or what becomes of the resources. [Client] is the same over gRPC.
//
// Resources become the model of package messages. Where the reference cuts numbers to their size (ports, lengths of
// prefixes), this refuses the resource. Of a policy the part that can't be understood makes the policy fail closed, as
// messages.Match.Unparsable says, where the reference drops it and so may allow more.
package xds
