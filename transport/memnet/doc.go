// Package memnet is an internet in memory: hosts with addresses, listeners, and connections that behave like TCP
// as far as a proxy can tell. It implements socket.Network, so that a node, or ten, runs in one process, and in a
// testing/synctest bubble in virtual time.
//
// What behaves like the kernel: bounded buffers with partial writes, half-close, deadlines, a reset after close
// with unread data or after a write to a closed peer, data that arrived before a reset stays readable, refused and
// unanswered dials, accept queues, dual-stack wildcards, shared ports, redirection with original destinations,
// preserved sources. What does not exist: packets, loss, reordering, congestion and acknowledgements; room in a
// buffer shows at the sender as soon as the receiver has read.
//
// Links between hosts have latency and bandwidth, can be partitioned (what is under way arrives after healing) and
// reset. Every wait is on channels and timers, and there are no goroutines: times in a bubble are exact. Which of two
// goroutines that may run at the same instant goes first remains the scheduler's choice; how much a writer finds
// room for after a wait may depend on it. Anyone may call everything at any time.
package memnet
