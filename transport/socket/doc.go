// Package socket is Troupe's edge to the kernel's TCP: it listens, dials, finds original destinations, sets
// marks, transparency and keepalive, and gives the data path a [Conn] with the non-blocking operations that it
// needs. Everything above it takes its network from the [Network] interface, so that tests can put an in-memory
// one in its place.
//
// Callers are the actors that own listeners and connections; the package leaves no goroutine of its own behind
// (InNamespace borrows one while it runs).
package socket
