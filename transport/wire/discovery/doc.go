// Package discovery is the delta form of the aggregated discovery service (package envoy.service.discovery.v3;
// spec/control.md §1.5), as far as it is used: the stream, its requests and its responses. It is generated.
package discovery
