package messages

import "net/netip"

// Direction is which way a connection crosses the proxy.
type Direction uint8

// The directions.
const (
	Outbound Direction = iota
	Inbound
)

// String is the direction field of the access log.
func (d Direction) String() string { return [...]string{"outbound", "inbound"}[d] }

// Reporter is the reporter label of the traffic metrics.
func (d Direction) Reporter() string { return [...]string{"source", "destination"}[d] }

// Mode is how a connection's bytes travel: the troupe.mode attribute.
type Mode uint8

// The modes.
const (
	ModeUnknown Mode = iota
	ModeHBONE
	ModeDoubleHBONE
	ModePlaintext
	ModePassthrough
	ModeLocal
)

// String is the attribute's value.
func (m Mode) String() string {
	return [...]string{"unknown", "hbone", "double_hbone", "plaintext", "passthrough", "local"}[m]
}

// DerivedWorkload is what a peer tells about a workload in its baggage, plus the identity proven by TLS. The
// strings are the peer's claim and never used for authorization (spec/dataplane.md §4.8).
type DerivedWorkload struct {
	Workload, CanonicalName, CanonicalRevision, Namespace, Cluster, Region, Zone string
	Identity                                                                     Identity
}

// Record is everything that is known of one connection: the one source of its access-log line, its metrics' labels
// and its spans' attributes. It belongs to its flow.
type Record struct {
	Recorder
	Direction Direction
	Mode      Mode
	Type      RequestType
	// Src is the peer; Dst the address that the access log shows: the next hop dialled (outbound), the address
	// received (inbound HBONE) or the original destination (plain text); OriginalDst what the application asked for.
	Src, Dst, OriginalDst netip.AddrPort
	// HBONEAddr is the CONNECT authority; zero for plain TCP.
	HBONEAddr HostPort
	// MutualTLS says that the connection is protected by mutual TLS.
	MutualTLS bool
	// SrcIdentity and DstIdentity are proven identities.
	SrcIdentity, DstIdentity Identity
	// Source and Destination are workloads known from the stores, Service the service that was addressed.
	Source, Destination *Workload
	Service             *Service
	// DerivedSource and DerivedDestination are peers' claims; nil where there are none.
	DerivedSource, DerivedDestination *DerivedWorkload
	// Verdict is the deciding policy, where one was asked; Key of it names a policy.
	Verdict *Verdict
	// PoolHit says that an existing tunnel was used, ClosedBy who hung up first.
	PoolHit  bool
	ClosedBy string
	// CutBy is who reset the established connection instead of ending it: bytes may be missing although it went well.
	CutBy string
	// Failure is nil for a connection that went well.
	Failure *Failure
	// CountsSocket says that the open-sockets gauge counts this record; streams of a tunnel are not sockets.
	CountsSocket bool
}

// Reason is the record's reason code.
func (r *Record) Reason() Reason {
	if r.Failure == nil {
		return ReasonNone
	}
	return r.Failure.Reason
}
