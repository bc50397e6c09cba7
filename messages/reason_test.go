package messages

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
)

func TestEveryReasonIsComplete(t *testing.T) {
	flags := []string{"-", "DENY", "CONNECT", "TLS_FAILURE", "H2_HANDSHAKE_FAILURE", "NETWORK_POLICY", "IDENTITY_ERROR", "CERT_REVOKED"}
	statuses := []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusServiceUnavailable}
	for _, r := range Reasons() {
		if r == ReasonNone {
			t.Error("the list has what is no reason")
		}
		if r.ErrorType() == "" || r.String() != r.ErrorType() {
			t.Errorf("reason %d: error type %q, text %q", r, r.ErrorType(), r)
		}
		if !slices.Contains(flags, r.Flag()) {
			t.Errorf("%s: flag %q is none of the reference's", r, r.Flag())
		}
		if !slices.Contains(statuses, r.Status()) {
			t.Errorf("%s: status %d is none that HBONE knows", r, r.Status())
		}
	}
	if ReasonNone.Flag() != "-" || ReasonNone.ErrorType() != "" || ReasonNone.String() != "ok" || ReasonNone.Status() != http.StatusOK {
		t.Error("the absence of a reason has one")
	}
}

func TestReasonsThatPeersSee(t *testing.T) {
	for r, want := range map[Reason]int{
		ReasonPolicyDenied: 401, ReasonPolicyChanged: 401, ReasonWaypointBypassed: 401,
		ReasonInvalidRequest: 400, ReasonAddressMismatch: 400,
		ReasonConnectionRefused: 503, ReasonOverCapacity: 503, ReasonInternal: 503,
	} {
		if r.Status() != want {
			t.Errorf("%s: %d: want %d", r, r.Status(), want)
		}
	}
}

func TestFailure(t *testing.T) {
	f := FailWith(ReasonConnectionRefused, "connection failed: ", io.ErrUnexpectedEOF)
	if f.Error() != "connection failed: unexpected EOF" || !errors.Is(f, io.ErrUnexpectedEOF) {
		t.Errorf("%q does not say or hold what was underneath", f)
	}
	if g := Fail(ReasonNoService, "no service"); g.Error() != "no service" || g.Unwrap() != nil {
		t.Errorf("%+v", g)
	}
	if got := AsFailure(fmt.Errorf("dialling: %w", f), ReasonInternal); got != f {
		t.Errorf("not found in its wrapping: %v", got)
	}
	if got := AsFailure(io.EOF, ReasonRelayFailed); got.Reason != ReasonRelayFailed || got.Text != "EOF" || !errors.Is(got, io.EOF) {
		t.Errorf("%+v", got)
	}
	if AsFailure(nil, ReasonInternal) != nil {
		t.Error("nothing became a failure")
	}
}
