package ca

import (
	"context"
	"errors"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/troupe-mesh/troupe/transport/grpcdial"
)

// The client is tested against a server in e2e/istiod.

func TestIsBroken(t *testing.T) {
	for code, want := range map[codes.Code]bool{
		codes.OK: false, codes.Unavailable: true, codes.DeadlineExceeded: true, codes.Canceled: false, codes.Unauthenticated: false,
		codes.PermissionDenied: false, codes.ResourceExhausted: false,
	} {
		if got := isBroken(status.Error(code, "")); got != want {
			t.Errorf("after %v: %v", code, got)
		}
	}
}

func TestCallError(t *testing.T) {
	why := status.Error(codes.Unavailable, "no way")
	err := &CallError{Err: why}
	if err.Error() != "signing gRPC error (Unavailable): no way" || !errors.Is(err, why) {
		t.Error(err)
	}
	if got := (&CallError{Err: context.Canceled}).Error(); got != "signing gRPC error (Unknown): context canceled" {
		t.Error(got)
	}
}

func TestBadAddress(t *testing.T) {
	for _, address := range []string{"http://istiod:15012", "istiod", "https://", "://"} {
		if c, err := New(Config{Server: grpcdial.Config{Address: address, Roots: grpcdial.Roots{System: true}}}); err == nil {
			c.Close()
			t.Errorf("%s is taken", address)
		}
	}
}
