// Package handover is how an old proxy passes its sockets to the one that replaces it: the listening sockets, so that no
// connection attempt is turned away, and the plain connections with what they had on their way.
//
// The old process listens on an AF_UNIX SOCK_SEQPACKET socket of mode 0600; the new one dials it. Each checks that the
// other runs as its own user. A packet is one JSON object of at most 64 KiB with exactly one field, and at most four
// descriptors by SCM_RIGHTS:
//
//	new → old   Hello     its version and the network namespace that it lives in
//	old → new   Listener  a listening socket, one descriptor; once for each
//	old → new   Listened  how many there were
//	new → old   Serving   it accepts connections: the old one closes its listening sockets
//	old → new   Leg       a plain connection: both sockets, then for each direction that holds bytes a file with them
//	new → old   Answer    it carries the leg on, or it does not
//	old → new   Done      what was passed, and what stays until it ends
//
// Until Serving nothing has changed for the old process: a new one that fails leaves it as it was. A leg that is not
// answered, or refused, goes on where it was.
package handover
