// Package state is the four stores, the only owners of what the proxy knows: workloads, services, policies and resolved
// DNS names (spec/control.md §3).
//
// A store is an actor around a table. The table is plain single-threaded data: it applies updates and answers
// questions. The actor adds what has to do with time and failure. It answers with messages that echo the question's id
// and say the store's version and how long the question waited; it never blocks; it runs on whichever goroutine posts
// to it. A store that starts afresh has lost its state: it tells discovery so, keeps the questions it gets for a while,
// and refuses them if its state does not come back in time, so that nothing is allowed that policy would deny.
package state
