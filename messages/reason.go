package messages

import (
	"errors"
	"net/http"
)

// Reason is why a connection ended the way it did. The list is closed: log, metric, span and admin page use the
// same one. ReasonNone is a connection that went well.
type Reason uint8

// The reasons.
const (
	ReasonNone Reason = iota
	// Policy.
	ReasonPolicyDenied       // a policy of ours denied it
	ReasonPolicyChanged      // a policy that came later denied it
	ReasonPolicyDeniedByPeer // the peer answered 401
	ReasonWaypointBypassed   // ENFORCE_WAYPOINT: it should have come through the workload's waypoint
	ReasonLoopRejected       // a call to the proxy's own ports
	// Setting up.
	ReasonWorkloadUnknown   // the pod's own workload did not arrive in time
	ReasonUnknownWaypoint   // a configured waypoint can't be resolved
	ReasonUnknownGateway    // a configured network gateway can't be resolved
	ReasonNoDestination     // the chosen workload has no usable address
	ReasonNoHealthyUpstream // the service has no usable endpoint
	ReasonNoService         // a remote workload was called by its address
	ReasonNameResolution    // a host name did not resolve
	ReasonInvalidRequest    // the CONNECT is not one that we serve
	ReasonAddressMismatch   // the CONNECT is for somebody else
	ReasonStoreTimeout      // a store did not answer within the deadline
	ReasonOverCapacity      // a bound was reached: the connection was refused at admission
	// The next hop.
	ReasonConnectionRefused
	ReasonTimedOut
	ReasonHostUnreachable
	ReasonAddressNotAvailable
	ReasonConnectFailed // dialling failed in another way
	ReasonNetworkPolicySuspected
	ReasonTLSConfig
	ReasonTLSHandshake
	ReasonH2Handshake
	ReasonH2Failed
	ReasonPeerRefused // the peer answered neither 200 nor 401
	ReasonPoolDraining
	ReasonIdentityUnavailable
	ReasonCertificateRevoked
	// The word of a name server, of questions that pods ask.
	ReasonDNSFormErr
	ReasonDNSServFail
	ReasonDNSNotImp
	ReasonDNSRefused
	// While it lived.
	ReasonRelayFailed
	ReasonDrained
	ReasonCancelled // the client left before set-up ended
	ReasonInternal  // an actor of the flow crashed
	reasonCount
)

// reasons maps each reason to its response flag (a metric label, spec/dataplane.md §11.6), the error.type of
// spans (TRACING §8) and the status an HBONE peer gets while the CONNECT is unanswered (spec/dataplane.md §4.5).
var reasons = [reasonCount]struct {
	flag, errorType string
	status          int
}{
	ReasonNone:                   {"-", "", http.StatusOK},
	ReasonPolicyDenied:           {"DENY", "policy_denied", http.StatusUnauthorized},
	ReasonPolicyChanged:          {"DENY", "policy_changed", http.StatusUnauthorized},
	ReasonPolicyDeniedByPeer:     {"CONNECT", "policy_denied", http.StatusUnauthorized},
	ReasonWaypointBypassed:       {"DENY", "waypoint_bypassed", http.StatusUnauthorized},
	ReasonLoopRejected:           {"CONNECT", "loop_rejected", http.StatusServiceUnavailable},
	ReasonWorkloadUnknown:        {"CONNECT", "workload_unknown", http.StatusServiceUnavailable},
	ReasonUnknownWaypoint:        {"CONNECT", "unknown_waypoint", http.StatusServiceUnavailable},
	ReasonUnknownGateway:         {"CONNECT", "unknown_network_gateway", http.StatusServiceUnavailable},
	ReasonNoDestination:          {"CONNECT", "no_valid_destination", http.StatusServiceUnavailable},
	ReasonNoHealthyUpstream:      {"CONNECT", "no_healthy_upstream", http.StatusServiceUnavailable},
	ReasonNoService:              {"CONNECT", "no_service", http.StatusServiceUnavailable},
	ReasonNameResolution:         {"CONNECT", "name_resolution_failed", http.StatusServiceUnavailable},
	ReasonInvalidRequest:         {"CONNECT", "invalid_request", http.StatusBadRequest},
	ReasonAddressMismatch:        {"CONNECT", "address_mismatch", http.StatusBadRequest},
	ReasonStoreTimeout:           {"CONNECT", "store_timeout", http.StatusServiceUnavailable},
	ReasonOverCapacity:           {"CONNECT", "over_capacity", http.StatusServiceUnavailable},
	ReasonConnectionRefused:      {"CONNECT", "connection_refused", http.StatusServiceUnavailable},
	ReasonTimedOut:               {"CONNECT", "timed_out", http.StatusServiceUnavailable},
	ReasonHostUnreachable:        {"CONNECT", "host_unreachable", http.StatusServiceUnavailable},
	ReasonAddressNotAvailable:    {"CONNECT", "address_not_available", http.StatusServiceUnavailable},
	ReasonConnectFailed:          {"CONNECT", "connect_failed", http.StatusServiceUnavailable},
	ReasonNetworkPolicySuspected: {"NETWORK_POLICY", "network_policy_suspected", http.StatusServiceUnavailable},
	ReasonTLSConfig:              {"TLS_FAILURE", "tls_config_failed", http.StatusServiceUnavailable},
	ReasonTLSHandshake:           {"CONNECT", "tls_handshake_failed", http.StatusServiceUnavailable},
	ReasonH2Handshake:            {"H2_HANDSHAKE_FAILURE", "h2_handshake_failed", http.StatusServiceUnavailable},
	ReasonH2Failed:               {"H2_HANDSHAKE_FAILURE", "h2_failed", http.StatusServiceUnavailable},
	ReasonPeerRefused:            {"CONNECT", "peer_refused", http.StatusServiceUnavailable},
	ReasonPoolDraining:           {"CONNECT", "pool_draining", http.StatusServiceUnavailable},
	ReasonIdentityUnavailable:    {"IDENTITY_ERROR", "identity_unavailable", http.StatusServiceUnavailable},
	ReasonCertificateRevoked:     {"CERT_REVOKED", "certificate_revoked", http.StatusServiceUnavailable},
	ReasonDNSFormErr:             {"CONNECT", "formerr", http.StatusServiceUnavailable},
	ReasonDNSServFail:            {"CONNECT", "servfail", http.StatusServiceUnavailable},
	ReasonDNSNotImp:              {"CONNECT", "notimp", http.StatusServiceUnavailable},
	ReasonDNSRefused:             {"CONNECT", "refused", http.StatusServiceUnavailable},
	ReasonRelayFailed:            {"CONNECT", "relay_failed", http.StatusServiceUnavailable},
	ReasonDrained:                {"-", "drained", http.StatusServiceUnavailable},
	ReasonCancelled:              {"CONNECT", "cancelled", http.StatusServiceUnavailable},
	ReasonInternal:               {"CONNECT", "internal_error", http.StatusServiceUnavailable},
}

// Reasons lists every reason but ReasonNone.
func Reasons() []Reason {
	all := make([]Reason, 0, reasonCount-1)
	for r := ReasonNone + 1; r < reasonCount; r++ {
		all = append(all, r)
	}
	return all
}

// Flag is the response_flags label of the traffic metrics.
func (r Reason) Flag() string { return reasons[r].flag }

// ErrorType is the error.type of spans; empty for ReasonNone.
func (r Reason) ErrorType() string { return reasons[r].errorType }

// Status is what an HBONE peer is answered when its CONNECT ends for this reason before the 200.
func (r Reason) Status() int { return reasons[r].status }

// String is the error type, or "ok".
func (r Reason) String() string {
	if r == ReasonNone {
		return "ok"
	}
	return reasons[r].errorType
}

// Failure is why a flow failed: a reason and the text that the access log shows (the reference's wording where it
// has one, spec/dataplane.md §2.12).
type Failure struct { //nolint:errname // it is a fact about a flow first, and an error second
	Reason Reason
	Text   string
	Err    error // what was underneath, may be nil
	// Status is what the peer answered to our CONNECT, 0 where that is not why.
	Status int
}

// Fail makes a failure.
func Fail(r Reason, text string) *Failure { return &Failure{Reason: r, Text: text} }

// Revoked is the failure of a connection whose tunnel was ended because its peer's certificate was revoked by why.
func Revoked(why error) *Failure {
	return &Failure{Reason: ReasonCertificateRevoked, Text: "connection closed: peer certificate revoked by CRL", Err: why}
}

// FailWith makes a failure from an error underneath; the text is prefix followed by the error's.
func FailWith(r Reason, prefix string, err error) *Failure {
	return &Failure{Reason: r, Text: prefix + err.Error(), Err: err}
}

// Error is the text.
func (f *Failure) Error() string { return f.Text }

// Unwrap is what was underneath.
func (f *Failure) Unwrap() error { return f.Err }

// AsFailure finds the Failure in err; other errors become one with reason fallback.
func AsFailure(err error, fallback Reason) *Failure {
	if err == nil {
		return nil
	}
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return &Failure{Reason: fallback, Text: err.Error(), Err: err}
}
