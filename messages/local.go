package messages

import (
	"net"
	"net/netip"
	"time"
)

// The local fast path (LOCAL_FASTPATH): connections between two pods that one process serves are handed from the source
// pod's chain to the destination pod's, without a tunnel.

// PodServes tells the directory of local pods that the sender serves a workload, PodLeaves that it serves no new connections.
type PodServes struct {
	Info WorkloadInfo
}

// PodLeaves ends PodServes.
type PodLeaves struct{}

// FindLocalPod asks the directory who serves a workload in this process.
type FindLocalPod struct {
	Question
	Info WorkloadInfo
}

// LocalPodFound answers FindLocalPod: the name of the pod's actor, empty where nobody does.
type LocalPodFound struct {
	Answer
	Pod string
}

// Tally counts what is passed on, for the side that does not do it.
type Tally interface {
	AddReceived(n int)
	AddSent(n int)
}

// ConnectLocally hands a client's connection to the destination pod, as a CONNECT would. The sender is the outbound flow. It
// owns Conn.
type ConnectLocally struct {
	Question
	Conn net.Conn
	// Peer and Local are the addresses that the tunnel would have, Target is its authority.
	Peer, Local netip.AddrPort
	Target      HostPort
	// Identity is the source's, whose certificate its own chain has made sure of; Source its workload.
	Identity Identity
	Source   *Workload
	// ForwardedHost is the service that was addressed; empty for none.
	ForwardedHost string
	// Traceparent and Tracestate are the context of the outbound flow.
	Traceparent, Tracestate string
	// Counters are told of the bytes.
	Counters Tally
	At       time.Time
	Claim    *Claim
}

// Undeliver closes the connection.
func (c *ConnectLocally) Undeliver() { _ = c.Conn.Close() }

// LocallyConnected answers ConnectLocally: the application was reached, unless Failure says why not.
type LocallyConnected struct {
	Answer
	Failure   *Failure
	KeepTrace bool
}

// LocallyEnded is the end of a connection that was established.
type LocallyEnded struct {
	Finished
}
