// Package flow serves one connection as a small company of actors. The tunnel actor is the flow: it is spawned first
// and spawns accept, classify and authorize in turn as its short-lived children; each stops after it has handed over.
// All four run on one dispatcher that belongs to the flow, one after another, so that a hand-over wakes nobody and
// what they share (the passage) needs no lock. A goroutine opens the second leg; when the flow is established
// another carries the bytes, and the tunnel actor only hears how it went.
//
//	           spawned by the pod
//	                  │
//	              ┌───▼───┐  StageDone/StageFailed   ┌───────────┐
//	              │ tunnel│◄─────────────────────────┤ accept    │ original destination, local workload, loop rule
//	              │       │◄─────────────────────────┤ classify  │ the route: asks workloads, services, dns-cache
//	              │       │◄─────────────────────────┤ authorize │ certificate ready; policies evaluated
//	              └───┬───┘                          └───────────┘
//	Established ▲     │ starts
//	Finished    │ ┌───▼────────┐
//	            └─┤ goroutines │ one dials or sends the CONNECT, the next relays
//	              └────────────┘
//
// Every stage has a deadline; a flow whose stage does not hand over in time fails closed. Exactly one access-log line
// or early-deny line is written for each flow, also when one of its actors crashes.
package flow
