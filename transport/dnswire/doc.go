// Package dnswire is DNS as bytes: a server's side for UDP and TCP, and a client's side that asks several servers. It has no
// actors and decides nothing about names; actors/dns does.
//
// A message is a header of 12 bytes (id, flags, four counts), a question (name, type, class) and three sections of
// records (name, type, class, TTL, length, data); EDNS is a record of type OPT in the last one. A name is a list of
// labels, each with its length before it, and may end in a pointer to an earlier name. Over TCP each message has its
// length, two bytes, before it.
//
// The server's side reads questions and writes answers itself, without allocating; what upstream servers answer is taken
// apart by github.com/miekg/dns, checked, and kept in wire form ([Reply]), so that a cached answer is a copy with other
// TTLs. Everything that comes from outside is bounded and fuzzed: queries against miekg's reading of the same bytes.
package dnswire
