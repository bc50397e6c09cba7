// Package istiod is a control plane for tests: real gRPC over real TLS, the delta form of xDS as istiod serves it, and a
// script that makes it slow, silent, half-open, flapping or wrong.
//
// A [Server] listens, presents a certificate of its own [Authority], and wants a bearer token where it was given one. Its
// [World] has the resources; a change goes to every stream as one response. It keeps istiod's habits (pilot/pkg/xds): an
// initial request is always answered; resources whose echoed version is current are skipped; echoed names that don't exist
// come back as removed; policies have no version and are always sent; a stream that subscribed to * and unsubscribed from it
// in one request gets only what it names, as uids with the names asked for as aliases, and what runs on its own node; a
// request that adds no name is not answered; a NACK is noted and changes nothing.
package istiod
