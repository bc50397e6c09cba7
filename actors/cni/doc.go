// Package cni talks to the CNI agent of the node, which tells which pods come and go, and has the pods actor serve them
// (spec/ops.md §3).
//
// The actor waits for the first state, dials the agent, says hello and then handles one request at a time: reads it, has
// it carried out, answers it. What each request means is decided by the [ledger], a plain table without sockets and clocks.
// Pods are served on whatever becomes of the connection: a reconnect begins a new snapshot, and what that leaves out goes.
// A pod that can't be served is refused with its reason, and tried again every few seconds until it is served, or deleted.
package cni
