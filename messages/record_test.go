package messages

import "testing"

func TestRecordReason(t *testing.T) {
	var r Record
	if got := r.Reason(); got != ReasonNone {
		t.Errorf("without a failure: %v", got)
	}
	r.Failure = Fail(ReasonPolicyDenied, "denied")
	if got := r.Reason(); got != ReasonPolicyDenied {
		t.Errorf("with one: %v", got)
	}
}

func TestRecordNames(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{Outbound.String(), "outbound"},
		{Inbound.String(), "inbound"},
		{Outbound.Reporter(), "source"},
		{Inbound.Reporter(), "destination"},
		{ModeUnknown.String(), "unknown"},
		{ModeHBONE.String(), "hbone"},
		{ModeDoubleHBONE.String(), "double_hbone"},
		{ModePlaintext.String(), "plaintext"},
		{ModePassthrough.String(), "passthrough"},
		{ModeLocal.String(), "local"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q: want %q", tt.got, tt.want)
		}
	}
}
