package messages

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// Entrance is the listener that a connection came in by.
type Entrance uint8

// The entrances.
const (
	EntranceOutbound  Entrance = iota // 15001, captured
	EntrancePlaintext                 // 15006, captured
	EntranceHBONE                     // 15008
	EntranceSOCKS5                    // 15080
	EntranceLocal                     // no listener: another pod of this process (LOCAL_FASTPATH)
)

// String is the component name in logs (spec/dataplane.md §1.1).
func (e Entrance) String() string {
	return [...]string{"outbound", "inbound plaintext", "inbound", "socks5", "inbound local"}[e]
}

// Direction is which way connections of this entrance cross the proxy.
func (e Entrance) Direction() Direction {
	if e == EntrancePlaintext || e == EntranceHBONE || e == EntranceLocal {
		return Inbound
	}
	return Outbound
}

// Claim is the right to take over what a message carries. All copies of the message share it, and one of them alone gets
// it: a connection has one owner, even where a message comes twice.
type Claim struct{ taken atomic.Bool }

// Take takes the right; false means that another copy had it before. A nil Claim is nobody's to refuse.
func (c *Claim) Take() bool { return c == nil || c.taken.CompareAndSwap(false, true) }

// ConnectionAccepted hands a new connection to the pod. It owns Conn: whoever does not take it closes it.
type ConnectionAccepted struct {
	Stamp
	Entrance    Entrance
	Conn        net.Conn
	Peer, Local netip.AddrPort
	At          time.Time
	Claim       *Claim
}

// Undeliver closes the connection.
func (c *ConnectionAccepted) Undeliver() { _ = c.Conn.Close() }

// Refusable is a CONNECT that can still be refused.
type Refusable interface {
	Refuse(status int)
}

// StreamOpened hands a CONNECT of a peer to the pod: transport/hbone's server stream. It owns Stream.
type StreamOpened struct {
	Stamp
	Stream Refusable
	// Peer and Local are the tunnel's addresses, Identity the peer's proven identity.
	Peer, Local netip.AddrPort
	Identity    Identity
	At          time.Time
	// TLSVersion, TLSCipher and TLSCurve describe the tunnel's protection.
	TLSVersion, TLSCipher, TLSCurve string
	Claim                           *Claim
}

// Undeliver refuses the stream: nobody is there to serve it.
func (s *StreamOpened) Undeliver() { s.Stream.Refuse(ReasonOverCapacity.Status()) }

// DrainMode is how patiently a proxy ends (spec/dataplane.md §10.1).
type DrainMode uint8

// The modes.
const (
	DrainGraceful DrainMode = iota
	DrainImmediate
)

// Drain ends a proxy: listeners close at once; a graceful drain waits for the connections up to Deadline.
type Drain struct {
	Mode     DrainMode
	Deadline time.Duration
}

// Drained answers Drain: nothing is left. Cut counts the connections that did not end in time.
type Drained struct {
	Ended, Cut int
}

// StartAccepting opens the doors: the first state has arrived. Who sent it as a question is answered.
type StartAccepting struct{ Question }

// AcceptingStarted answers StartAccepting: the doors are open, or closed for good, because a drain has begun.
type AcceptingStarted struct{ Answer }

// NamespaceID tells network namespaces apart: the device and inode of what a descriptor of one refers to.
type NamespaceID struct{ Device, Inode uint64 }

// PodNamespace is a handle of a pod's network namespace: transport/socket's.
type PodNamespace interface {
	ID() NamespaceID
	// Share makes another handle of the same namespace; each is closed by itself.
	Share() PodNamespace
	// Close lets go of the namespace. A second time it does nothing.
	Close() error
}

// What the CNI actor and the admin page say to the pods actor (spec/ops.md §3.4).

// StartPod sees to it that the pod UID is served in Namespace, whose handle it owns. A pod that is served in another
// namespace is stopped first. PodStarted answers.
type StartPod struct {
	UID       string
	Info      WorkloadInfo
	Namespace PodNamespace
	Claim     *Claim
}

// Undeliver lets go of the namespace.
func (s *StartPod) Undeliver() {
	if s.Claim.Take() {
		_ = s.Namespace.Close()
	}
}

// PodStarted answers StartPod: its listeners exist, unless Err says why not.
type PodStarted struct {
	UID       string
	Namespace NamespaceID
	Err       error
}

// StopPod sees to it that a pod is not served: its listeners close at once, its connections are cut, its failure is
// forgotten.
type StopPod struct{ UID string }

// KeepPods sees to it that no pods are served but these, in order of their uids: a StopPod may have got lost.
type KeepPods struct{ UIDs []string }

// PodState is how far a pod is.
type PodState uint8

// The states.
const (
	// PodPending has no listeners: it is being started, or that failed and is tried again.
	PodPending PodState = iota
	// PodUp is served.
	PodUp
)

// String is the state's name in the dump.
func (s PodState) String() string { return [...]string{"Pending", "Up"}[s] }

// ListPods asks for all pods.
type ListPods struct{ Question }

// PodsListed answers ListPods, sorted by UID.
type PodsListed struct {
	Answer
	Pods []PodStatus
}

// PodStatus is one pod of PodsListed.
type PodStatus struct {
	UID       string
	Info      WorkloadInfo
	Namespace NamespaceID
	State     PodState
	// Err is why it could not be started; nil for others.
	Err error
	// Proxy is the name of the pod's actor, which answers DumpConnections; empty for a pod that is not up.
	Proxy string
}
