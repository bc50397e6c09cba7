// Package wire is the messages that other programs and Troupe exchange as protocol buffers, one package below it for each
// protocol (spec/control.md §1):
//
//	workload   workloads and services, as istiod pushes them
//	security   authorization policies, as istiod pushes them
//	discovery  the delta form of xDS, in which both travel
//	ca         the certificate service of istiod
//	zds        pods that come and go, as the CNI agent tells
//
// The .proto files beside the generated code are ours. They keep the field numbers and full names of the originals, and
// leave out fields that nobody here reads. After a change run `task proto`.
package wire
