// Package pool keeps the HBONE tunnels that a listener's flows share (spec/dataplane.md §3). The pool actor finds or
// spawns one child per peer key; the child dials once however many wait, queues the waiters, hands out room for streams,
// and lets tunnels go that are full, dead or have not been asked for in a while.
//
//	            AcquireTunnel                       (the same)
//	flow ───────────────────────► pool ───────────────────────► peer (one per key)
//	  ◄──────────────────────────────────────────────────────────┘ TunnelAcquired
//	  ─────────────────────────── ReleaseTunnel ─────────────────►
//
// A child's states:
//
//	state     message          next
//	ready     AcquireTunnel    ready: answered from a tunnel with room; without one it dials
//	dialing   AcquireTunnel    dialing: queued
//	dialing   tunnelDialed     ready: waiters answered; more waiters than room: dialing again
//	dialing   tunnelDialed err ready: every waiter gets the failure
//	any       idleCheck        ready: idle tunnels leave; nothing left: tells the pool and is retired
//
// A failed dial is shared by all who waited for it. Nothing sleeps until somebody else checks something in. When a child
// or the pool itself crashes, its tunnels carry the streams they have to their ends, and new ones are dialled.
package pool
