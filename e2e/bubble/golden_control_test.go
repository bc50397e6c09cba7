package bubble_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/actors/identity"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/mtls"
	"github.com/troupe-mesh/troupe/transport/xds"
)

// slowCert is a CA that refuses at first and is slow then: the connection that waits is linked to the attempt that it waited
// for.
func slowCert() golden {
	return golden{
		prepare: func(_ *bubble.World, client, _ *bubble.Options) {
			client.Signer = signer(func(ctx context.Context, csr []byte, id messages.Identity) ([]string, error) {
				select {
				case <-time.After(2 * time.Second):
					return nil, errors.New("request impersonation authentication failure")
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			})
		},
		play: func(_ *testing.T, w *bubble.World, client, _ *bubble.Node) {
			client.WantRefused("10.9.0.2:80")
		},
	}
}

// revoked is a client whose peer is on a list: when the tunnel is made, or while a connection lives.
func revoked(live bool) golden {
	var lists *bubble.Lists
	return golden{
		warm: true,
		prepare: func(w *bubble.World, client, _ *bubble.Options) {
			lists = w.Lists()
			client.Lists = lists
		},
		play: func(_ *testing.T, w *bubble.World, client, server *bubble.Node) {
			if !live {
				lists.Revoke(server.Certificate())
				w.Pass(reread)
				client.WantRefused("10.9.0.2:80")
				return
			}
			c := client.Dial("10.9.0.2:80")
			c.Say("hello")
			c.Hear("hello")
			lists.Revoke(server.Certificate())
			w.Pass(reread)
			c.HearEnd()
			_ = c.Close()
		},
	}
}

// pushed is a control plane that tells the client something good with something that nobody understands.
func pushed() golden {
	var plane *bubble.Plane
	return golden{
		prepare: func(w *bubble.World, client, _ *bubble.Options) {
			plane = w.Plane()
			client.Plane = plane
		},
		play: func(_ *testing.T, w *bubble.World, client, _ *bubble.Node) {
			w.Pass(2 * time.Second)
			plane.Reject(xds.Addresses, []xds.Reject{{Name: "odd", Reason: errors.New("an address of 3 bytes")}})
			w.Pass(2 * time.Second)
			client.Exchange("10.9.0.2:80", "hello")
		},
	}
}

var _ identity.Signer = signer(nil)

// The certificate that a connection waited for is that of its trace's link.
func TestAWaitForACertificateIsLinked(t *testing.T) {
	run(t, two(), func(t *testing.T, w *bubble.World) {
		authority, err := mtls.NewAuthority(mtls.AuthorityOptions{})
		if err != nil {
			t.Fatal(err)
		}
		local := identity.Local(authority)
		slow := signer(func(ctx context.Context, csr []byte, id messages.Identity) ([]string, error) {
			select {
			case <-time.After(2 * time.Second):
				return local.Sign(ctx, csr, id)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
		client := w.StartWith("client", bubble.Options{Signer: slow})
		server := w.StartWith("server", bubble.Options{Signer: identity.Local(authority)})
		server.Echo("10.0.0.2:8080")
		client.Exchange("10.0.0.2:8080", "hello")
		w.Pass(time.Minute)
		linked := false
		spans := client.Spans()
		for _, s := range spans {
			if s.Name != "identity.wait" {
				continue
			}
			for _, l := range s.Links {
				for _, other := range spans {
					linked = linked || other.Name == "csr" && other.SpanContext.TraceID() == l.SpanContext.TraceID() && other.SpanContext.SpanID() == l.SpanContext.SpanID()
				}
			}
		}
		if !linked {
			t.Errorf("no identity.wait is linked to a csr: %d spans", len(spans))
		}
		w.WantWholeTraces()
	})
}
