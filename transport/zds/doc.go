// Package zds speaks the protocol by which the CNI agent of a node tells the proxy which pods come and go (spec/ops.md
// §3.1 and §3.2).
//
// It runs over a Unix socket of type SOCK_SEQPACKET, where the agent listens and the proxy dials; one packet is one
// protobuf message, without a length. The proxy says hello first. Then the agent sends one request at a time and waits
// for its answer, which is the next packet; the proxy never sends anything unasked. An [Add] comes with one descriptor of
// the pod's network namespace, everything else with none.
//
// What a packet carries is closed whenever it is not handed on. The package has no goroutines and keeps no state between
// packets; who is added and kept is decided in actors/cni.
package zds
