// Package jaeger is a mesh of two nodes on loopback whose traces go to a real Jaeger, and the tests that look for them
// there, as somebody who debugs a connection would: by what is searched for and by what the trace then shows.
//
//	pod buyer ──SOCKS5──► proxy of node-a ══HBONE══► proxy of node-b ──TCP──► pod cart-0
//
// The tests start Jaeger themselves, from the binary that task jaeger builds: the module e2e/tools pins its version,
// and .cache/bin/jaeger is where it goes. Without it they are skipped, unless TROUPE_JAEGER=required, as task e2e sets;
// TROUPE_JAEGER_BINARY names another one. jaeger.yaml keeps Jaeger on loopback with its traces in memory.
//
// Its sub-package failures breaks the same mesh in three ways for whoever wants to look on.
package jaeger
