// Package sim plays whole nodes through a life that a seed makes up: traffic of every kind, policies and workloads that
// change, pods that come and go as a CNI agent tells, a network that misbehaves, actors that crash and messages that get lost. It checks all along what must hold
// whatever happens, and plays the same life again from the same seed.
//
// # Why it is the same again
//
// Every message between actors waits until one director delivers it. The director waits until nothing runs any more,
// sorts what waits by whom it is for, lets the seed choose one, and delivers it; when nothing waits, virtual time goes on
// to the next thing that is due. The network gives every connection a latency of its own, so that no two are heard at the
// same instant; chance comes from the seed, that of crypto too. What one actor is sent arrives in the order in which it
// was sent, as in a mailbox: which actor goes on next is what the seed decides.
//
// # What is checked
//
//	bytes      what arrives is a prefix of what was sent, and all of it where the log says that the connection went well
//	policy     nothing is connected, or stays so, that the policy in force denies; while a change is under way either holds.
//	           The model of policy and membership is a naive one of the simulation's own
//	calm       without faults nothing fails that nothing forbids
//	revocation nothing is connected by a certificate that a revocation list names, nor stays so, and the log says why
//	log        every accepted connection has one line in the access log, with an error or without
//	counts     opened = closed in the end, and no socket is open
//	traces     every span's parent was exported
//	ownership  nothing is left in the end: actors, goroutines, connections
//
// In half of the lives nodes hear of changes by a stream to a control plane that goes away at times; in a third certificates
// are renewed all the time, by a CA that is away for less than they live. Neither is trouble: nobody may notice. In a few the certificates of one node are revoked, which
// its peers must notice and nobody else may.
//
// A [Life] that fails says how to play it again, and shows the last deliveries as a mermaid sequence diagram.
package sim
