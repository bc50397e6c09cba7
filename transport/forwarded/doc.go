// Package forwarded reads and writes the forwarded header of CONNECT requests as Istio uses it: who the client was
// and which service it meant (spec/dataplane.md §2.7, §4.8).
//
//	forwarded: for="10.0.0.1:1234";host=example.com        (host only where a service was meant; IPv6 as [::1]:1234)
//
// It is a hint for labels and never a reason to allow anything.
package forwarded
