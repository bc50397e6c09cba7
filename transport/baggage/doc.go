// Package baggage reads and writes the baggage header of CONNECT requests and their answers, as Istio uses it:
// where a connection comes from, for telemetry (spec/dataplane.md §2.7, §4.8).
//
//	baggage: k8s.cluster.name=c,k8s.namespace.name=n,k8s.deployment.name=w,service.name=s,service.version=v,
//	         cloud.region=r,cloud.availability_zone=z          (one line; no blanks, no escapes, empty ones left out)
//
// It is not the W3C header in any other respect. What it says about a peer is the peer's claim: nothing may be
// allowed because of it.
package baggage
