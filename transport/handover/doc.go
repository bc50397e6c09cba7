// Package handover is how an old proxy passes its sockets to the one that replaces it: the listening sockets, so that no
// connection attempt is turned away, and the plain connections with what they had on their way.
//
// The old process listens on an AF_UNIX SOCK_SEQPACKET socket of mode 0600; the new one dials it. Each checks that the
// other runs as its own user. A packet is one JSON object of at most 64 KiB with exactly one field, and at most four
// descriptors by SCM_RIGHTS:
//
//	new → old   Hello     its version, its mode and the network namespace that it lives in
//	old → new   Listener  a listening socket of the process itself, one descriptor; once for each
//	old → new   Listened  how many there were
//	new → old   ListPods  shared mode only: it is connected to the CNI agent, which tells the old one of no more pods
//	old → new   Listener  a listening socket of a pod, once for each, then Listened
//	new → old   Serves    shared mode only: a pod that it serves, once for each
//	new → old   Serving   it accepts connections: the old one closes its listening sockets, those of other pods excepted
//	old → new   Leg       a plain connection: both sockets, then for each direction that holds bytes a file with them
//	new → old   Answer    it carries the leg on, or it does not
//	old → new   Done      what was passed, and what stays until it ends
//
// Until Serving nothing has changed for the old process: a new one that fails leaves it as it was. A leg that is not
// answered, or refused, goes on where it was. In which network namespace a socket is the new process asks the kernel, not the
// old one.
package handover
