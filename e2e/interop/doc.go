// Package interop tests the tunnel against other people's HTTP/2: nghttp2's client and server, where they are
// installed, over mutual TLS with certificates as the mesh has them. Go's own client and server are met by the other
// end-to-end tests and by the tunnel's.
package interop
