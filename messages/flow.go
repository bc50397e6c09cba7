package messages

import (
	"net/netip"
	"time"
)

// Stage is one of the four stages of a flow.
type Stage uint8

// The stages, in order.
const (
	StageAccept Stage = iota
	StageClassify
	StageAuthorize
	StageTunnel
)

// String is the stage's name: that of its actor and its span.
func (s Stage) String() string {
	return [...]string{"accept", "classify", "authorize", "tunnel"}[s]
}

// Span is the stage's span name.
func (s Stage) Span() SpanName {
	return [...]SpanName{SpanAccept, SpanClassify, SpanAuthorize, SpanTunnel}[s]
}

// What the stages of one flow tell the tunnel actor, which is their parent.

// StageDone says that a stage has learned or decided what it is there for and has handed over.
type StageDone struct {
	Stamp
	Stage Stage
}

// StageFailed says that a stage ended the flow.
type StageFailed struct {
	Stamp
	Stage   Stage
	Failure *Failure
}

// StageOverdue tells the tunnel actor that a stage did not hand over within its deadline. Turn tells it from an
// earlier deadline that has been met.
type StageOverdue struct {
	Stage Stage
	Turn  uint32
}

// What the goroutine that carries a flow's bytes tells the tunnel actor.

// Established says that both legs are up and bytes may flow.
type Established struct {
	// DialStart and DialEnd are when dialling or the CONNECT began and ended.
	DialStart, DialEnd time.Time
	// Peer's answer, outbound only: its baggage and whether it keeps its spans.
	Baggage     string
	HasBaggage  bool
	KeepTrace   bool
	DstIdentity Identity
	// SourceLost says that the application sees another address than the client's, which it should have seen.
	SourceLost bool
}

// EstablishFailed says that the next hop could not be reached or refused.
type EstablishFailed struct {
	DialStart, DialEnd time.Time
	KeepTrace          bool
	Failure            *Failure
}

// Finished says that the relay of an established flow has ended and both legs are closed.
type Finished struct {
	Err error
	// ClosedBy is who hung up first: client, server or proxy.
	ClosedBy string
	// CutBy is which of client and server ended by a reset instead of an end of stream; empty where none did.
	CutBy string
}

// CloseFlow tells a flow to end at once for a reason; an established one is cut.
type CloseFlow struct {
	Failure *Failure
	// Verdict is what closed it, where policy did.
	Verdict *Verdict
}

// The connection registry of a pod.

// RegisterConnection enters a connection; the sender is its flow. Connections are entered before policy is asked, so
// that no change in between is missed, and none is established that was not.
type RegisterConnection struct {
	Direction Direction
	// Connection and Local are set for inbound connections: what policy is asked about. LocalVersion is the workload
	// store's when it told of Local.
	Connection   *Connection
	Local        *Workload
	LocalVersion uint64
	// Waypoint is the local workload's waypoint where the connection came from it and is therefore not a matter of policy
	// (ENFORCE_WAYPOINT); nil where policy is asked.
	Waypoint *GatewayAddress
	// Src, OriginalDst and ActualDst are shown in the admin dump; OriginalHost is the forwarded host of inbound ones.
	Src, OriginalDst, ActualDst netip.AddrPort
	OriginalHost                string
	Protocol                    string // TCP, HBONE or DOUBLEHBONE
	TraceID                     TraceID
	// Adopted says that another process allowed it: policy is asked about it at once.
	Adopted bool
}

// ConnectionRegistered answers RegisterConnection of an inbound connection: a policy that comes from now on ends the connection if it denies it.
type ConnectionRegistered struct{}

// UnregisterConnection removes the sender's connection.
type UnregisterConnection struct{}

// DumpConnections asks for all connections of a pod.
type DumpConnections struct {
	Question
}

// ConnectionsDumped answers DumpConnections; the order is not defined.
type ConnectionsDumped struct {
	Answer
	Connections []RegisterConnection
}

// The HBONE client pool of a pod (spec/dataplane.md §3).

// TunnelKey says which connections may share a tunnel. It is comparable.
type TunnelKey struct {
	Source Identity
	// Expected are the acceptable identities of the peer, in order, joined by commas.
	Expected string
	// SrcIP is the downstream address, Dial the socket address dialled.
	SrcIP netip.Addr
	Dial  netip.AddrPort
}

// Tunnel is an HBONE connection that streams can be opened on: transport/hbone's client.
type Tunnel interface {
	// Usable is false once the tunnel takes no further streams.
	Usable() bool
}

// AcquireTunnel asks the pool for a tunnel with room for one stream. The sender gets the answer and owes a
// call of its GiveBack.
type AcquireTunnel struct {
	Question
	Key      TunnelKey
	Expected []Identity
	// Certificate is transport/mtls's: what a new tunnel is dialled with.
	Certificate any
}

// TunnelAcquired answers AcquireTunnel.
type TunnelAcquired struct {
	Answer
	// Tunnel has room for one stream of the asker's; nil when Failure says why there is none.
	Tunnel Tunnel
	// Hit says that the tunnel existed; Queued how many were waiting for the same dial before this one.
	Hit    bool
	Queued int
	// SetupTrace and SetupSpan are the trace of the tunnel's set-up, zero when it was not recorded.
	SetupTrace TraceID
	SetupSpan  SpanID
	Failure    *Failure
	// GiveBack returns the room, once its stream has ended or nobody takes the answer; nil when there is nothing to
	// return.
	GiveBack func()
}

// Undeliver returns the room that was granted to a flow that has ended meanwhile.
func (t *TunnelAcquired) Undeliver() {
	if t.GiveBack != nil {
		t.GiveBack()
	}
}

// ReleaseTunnel gives one stream's room back to the pool's child that granted it: GiveBack sends it.
type ReleaseTunnel struct {
	Tunnel Tunnel
}
