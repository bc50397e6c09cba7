package lab_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/troupe-mesh/troupe/e2e/lab"
	"github.com/troupe-mesh/troupe/e2e/sandbox"
)

func TestMain(m *testing.M) {
	os.Exit(sandbox.Main(m, nil))
}

// addresses are a pod's, by family.
func addresses(p *lab.Pod) map[string]netip.Addr {
	return map[string]netip.Addr{"IPv4": p.IPv4, "IPv6": p.IPv6}
}

func TestPodsReachEachOther(t *testing.T) {
	l := lab.New(t)
	here, there := l.Node("here"), l.Node("there")
	client := here.Pod("client")
	for name, server := range map[string]*lab.Pod{"same node": here.Pod("neighbour"), "other node": there.Pod("server")} {
		for family, ip := range addresses(server) {
			t.Run(name+" "+family, func(t *testing.T) {
				seen := serve(t, server.NS, netip.AddrPortFrom(ip, 8080), socketOptions{})
				dial(t, client.NS, netip.AddrPortFrom(ip, 8080), socketOptions{})
				if got, want := (<-seen).peer.Addr(), addresses(client)[family]; got != want {
					t.Errorf("the server saw %v, want the client's %v", got, want)
				}
			})
		}
	}
}

func TestRedirectionCapturesWhatAPodSends(t *testing.T) {
	for name, form := range map[string]lab.Redirection{"in-pod": lab.InPod, "dedicated": lab.Dedicated, "dns": {Inbound: true, DNS: true}} {
		t.Run(name, func(t *testing.T) {
			l := lab.New(t)
			client, server := l.Node("here").Pod("client"), l.Node("there").Pod("server")
			client.Redirect(form)
			for family, ip := range addresses(server) {
				t.Run(family, func(t *testing.T) {
					target := netip.AddrPortFrom(ip, 8080)
					proxy := serve(t, client.NS, netip.MustParseAddrPort("[::]:15001"), socketOptions{})
					dial(t, client.NS, target, socketOptions{})
					if got := <-proxy; got.original != target {
						t.Errorf("the outbound listener saw destination %v, want %v", got.original, target)
					}
					app := serve(t, server.NS, target, socketOptions{})
					dial(t, client.NS, target, socketOptions{mark: 0x539})
					<-app // what carries the proxy's mark isn't captured
				})
			}
		})
	}
}

func TestRedirectionLeavesCallsToOneself(t *testing.T) {
	l := lab.New(t)
	pod := l.Node("here").Pod("pod")
	pod.Redirect(lab.InPod)
	for family, ip := range addresses(pod) {
		t.Run(family, func(t *testing.T) {
			target := netip.AddrPortFrom(ip, 8080)
			app := serve(t, pod.NS, target, socketOptions{})
			dial(t, pod.NS, target, socketOptions{})
			<-app
		})
	}
}

func TestRedirectionCapturesWhatAPodGets(t *testing.T) {
	l := lab.New(t)
	client, server := l.Node("here").Pod("client"), l.Node("there").Pod("server")
	server.Redirect(lab.InPod)
	for family, ip := range addresses(server) {
		t.Run(family, func(t *testing.T) {
			plain := serve(t, server.NS, netip.MustParseAddrPort("[::]:15006"), socketOptions{})
			dial(t, client.NS, netip.AddrPortFrom(ip, 8080), socketOptions{})
			if got := <-plain; got.original != netip.AddrPortFrom(ip, 8080) {
				t.Errorf("the plaintext listener saw destination %v", got.original)
			}
			tunnel := serve(t, server.NS, netip.MustParseAddrPort("[::]:15008"), socketOptions{})
			dial(t, client.NS, netip.AddrPortFrom(ip, 15008), socketOptions{})
			<-tunnel // HBONE goes straight to its listener
		})
	}
}

// A proxy that borrows a remote client's address towards its own application needs the marks and table 100.
func TestBorrowedSourceFindsItsWayBack(t *testing.T) {
	l := lab.New(t)
	client, server := l.Node("here").Pod("client"), l.Node("there").Pod("server")
	server.Redirect(lab.InPod)
	for family, ip := range addresses(server) {
		t.Run(family, func(t *testing.T) {
			app := serve(t, server.NS, netip.AddrPortFrom(ip, 8080), socketOptions{})
			borrowed := addresses(client)[family]
			dial(t, server.NS, netip.AddrPortFrom(ip, 8080), socketOptions{mark: 0x539, source: borrowed})
			if got := (<-app).peer.Addr(); got != borrowed {
				t.Errorf("the application saw %v, want %v", got, borrowed)
			}
		})
	}
}

func TestDoRunsInsideAndReturnsTheError(t *testing.T) {
	l := lab.New(t)
	pod := l.Node("here").Pod("pod")
	names := func() (n int, err error) {
		links, err := net.Interfaces()
		return len(links), err
	}
	var inside int
	if err := pod.NS.Do(func() (err error) { inside, err = names(); return err }); err != nil {
		t.Fatal(err)
	}
	if inside != 2 {
		t.Errorf("%d interfaces inside, want lo and eth0", inside)
	}
	if err := pod.NS.Do(func() error { return io.ErrNoProgress }); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v, want f's error", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := pod.NS.Dial(ctx, "tcp", "127.0.0.1:9"); err == nil {
		t.Error("dialled a port that nobody listens on")
	}
}
