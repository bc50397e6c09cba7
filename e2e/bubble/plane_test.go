package bubble_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/troupe-mesh/troupe/actors/discovery"
	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/e2e/bubble"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/xds"
)

// underPlane plays with a client and a server under one control plane. begin is called before the nodes start.
func underPlane(t *testing.T, m bubble.Mesh, begin func(*bubble.Plane, *fault.Faults), play func(t *testing.T, w *bubble.World, p *bubble.Plane, client, server *bubble.Node)) {
	t.Helper()
	run(t, m, func(t *testing.T, w *bubble.World) {
		p, broken := w.Plane(), fault.New()
		if begin != nil {
			begin(p, broken)
		}
		client := w.StartWith("client", bubble.Options{Plane: p})
		server := w.StartWith("server", bubble.Options{Plane: p, Faults: broken})
		server.Echo("10.0.0.2:8080")
		play(t, w, p, client, server)
	})
}

// denyClient denies what the client does.
func denyClient() bubble.Mesh {
	return bubble.Mesh{Policies: []*messages.Authorization{bubble.Policy("no-client", messages.ActionDeny, principal(clientPrincipal))}}
}

// opened waits through the doors: a connection is made now and answered when the node serves.
func opened(client *bubble.Node) *bubble.Conn {
	c := client.Dial("10.9.0.2:80")
	c.Say("early")
	return c
}

// Whatever ails the control plane at the start, nothing is served before it has answered, what came early is served then,
// and it is asked again by itself (CP14, CP18).
func TestPlaneAtTheStart(t *testing.T) {
	for name, test := range map[string]struct {
		ail    func(*bubble.Plane)
		heal   func(*bubble.Plane)
		within time.Duration // after healing
		says   string
	}{
		"away": {
			func(p *bubble.Plane) { p.Away(bubble.ErrAway) }, (*bubble.Plane).Back, 20 * time.Second, "connection refused",
		},
		"another's root": {
			func(p *bubble.Plane) {
				p.Away(errors.New("x509: certificate signed by unknown authority"))
			}, (*bubble.Plane).Back, 20 * time.Second, "unknown authority",
		},
		"token expired": {
			func(p *bubble.Plane) { p.Away(status.Error(codes.Unauthenticated, "authentication failure")) },
			(*bubble.Plane).Back, 20 * time.Second, "authentication failure",
		},
		"silent": {
			func(p *bubble.Plane) { p.Mute(true) }, func(p *bubble.Plane) { p.Mute(false) }, 6 * time.Minute, "has not answered for 5m0s",
		},
		"slow": {func(p *bubble.Plane) { p.Delay(90 * time.Second) }, func(*bubble.Plane) {}, 4 * time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			underPlane(t, two(), func(p *bubble.Plane, _ *fault.Faults) { test.ail(p) }, func(t *testing.T, w *bubble.World, p *bubble.Plane, client, _ *bubble.Node) {
				w.Pass(80 * time.Second)
				c := opened(client)
				if client.Counts() != (bubble.Counts{}) {
					t.Errorf("a connection was taken before the first state: %+v", client.Counts())
				}
				test.heal(p)
				w.Pass(test.within)
				c.Hear("early")
				c.Finish()
				if said := strings.Join(client.Log(), "\n"); !strings.Contains(said, test.says) {
					t.Errorf("the log does not say %q:\n%s", test.says, said)
				}
			})
		})
	}
}

// A control plane that goes away, for hours or again and again, is noticed by no connection; what it said holds, and what it
// says when it is back is obeyed (CP7, CP16).
func TestPlaneGoesAway(t *testing.T) {
	for name, leave := range map[string]func(w *bubble.World, p *bubble.Plane){
		"for hours": func(w *bubble.World, p *bubble.Plane) {
			p.Away(bubble.ErrAway)
			w.Pass(5 * time.Hour)
		},
		"in good order, again and again": func(w *bubble.World, p *bubble.Plane) {
			for range 20 {
				p.Cut(io.EOF)
				w.Pass(30 * time.Minute)
			}
			p.Away(bubble.ErrAway)
		},
		"and hangs": func(w *bubble.World, p *bubble.Plane) {
			p.Mute(true)
			p.Cut(bubble.ErrAway)
			w.Pass(time.Hour)
			p.Mute(false)
			p.Away(bubble.ErrAway)
		},
	} {
		t.Run(name, func(t *testing.T) {
			admin := bubble.Mesh{Policies: []*messages.Authorization{bubble.Policy("no-admin", messages.ActionDeny, bubble.Ports(9090))}}
			underPlane(t, two(), nil, func(t *testing.T, w *bubble.World, p *bubble.Plane, client, server *bubble.Node) {
				server.Echo("10.0.0.2:9090")
				p.Push(admin)
				w.Settle()
				client.Exchange("10.9.0.2:80", "before")
				client.WantRefused("10.0.0.2:9090")
				lasting := client.Dial("10.9.0.2:80")
				lasting.Say("a")
				lasting.Hear("a")
				leave(w, p)
				lasting.Say("b")
				lasting.Hear("b")
				client.Exchange("10.9.0.2:80", "meanwhile")
				client.WantRefused("10.0.0.2:9090")

				// While it is away the world goes on: one policy comes, one goes, and so does a workload.
				p.Change(denyClient().State(), []string{"legacy"}, []string{"ns/no-admin"})
				w.Pass(time.Minute)
				client.Exchange("10.9.0.2:80", "nobody has been told")
				p.Back()
				w.Pass(20 * time.Second)
				lasting.HearEnd()
				_ = lasting.Close()
				client.WantRefused("10.9.0.2:80")
				p.Change(discovery.State{}, nil, []string{"ns/no-client"})
				w.Settle()
				client.Exchange("10.0.0.2:9090", "allowed again")
				if len(p.NACKs()) > 0 {
					t.Errorf("NACKs %q", p.NACKs())
				}
			})
		})
	}
}

// What can't be understood changes nothing, what came with it counts, and connections go on (CP9, CP10).
func TestPlaneSaysNonsense(t *testing.T) {
	underPlane(t, two(), nil, func(t *testing.T, w *bubble.World, p *bubble.Plane, client, server *bubble.Node) {
		server.Echo("10.0.0.2:9090")
		lasting := client.Dial("10.9.0.2:80")
		lasting.Say("a")
		lasting.Hear("a")
		good := bubble.Policy("no-admin", messages.ActionDeny, bubble.Ports(9090))
		p.Reject(xds.Authorizations, []xds.Reject{{Name: "ns/broken", Reason: errors.New("scope 9 is unknown")}}, xds.Item{Name: good.Key, Policy: good})
		p.Reject(xds.Addresses, []xds.Reject{{Name: "server", Reason: errors.New("an address of 3 bytes")}, {Name: "ns/server.ns", Reason: errors.New("port 70000")}})
		w.Settle()
		client.Exchange("10.9.0.2:80", "as before")
		client.WantRefused("10.0.0.2:9090")
		lasting.Say("b")
		lasting.Hear("b")
		lasting.Finish()
		nacks := p.NACKs()
		slices.Sort(nacks)
		want := []string{"ns/broken: scope 9 is unknown", "server: an address of 3 bytes; ns/server.ns: port 70000"}
		if got := slices.Compact(nacks); !slices.Equal(got, want) {
			t.Errorf("NACKs %q, want %q", got, want)
		}
		if p.Opened() != 2 {
			t.Errorf("%d streams were opened", p.Opened())
		}
	})
}

// A push that is late counts late: until then connections are as before, then the denied one is closed.
func TestPlaneIsLate(t *testing.T) {
	underPlane(t, two(), nil, func(_ *testing.T, w *bubble.World, p *bubble.Plane, client, _ *bubble.Node) {
		lasting := client.Dial("10.9.0.2:80")
		lasting.Say("a")
		lasting.Hear("a")
		p.Delay(20 * time.Second)
		p.Push(denyClient())
		w.Pass(19 * time.Second)
		lasting.Say("b")
		lasting.Hear("b")
		client.Exchange("10.9.0.2:80", "not yet")
		w.Pass(2 * time.Second)
		lasting.HearEnd()
		_ = lasting.Close()
		client.WantRefused("10.9.0.2:80")
	})
}

// Stores and discovery that crash while the control plane is away know all that they knew: nothing is allowed that the last
// policies deny, and what they allow goes on.
func TestActorsCrashWhileThePlaneIsAway(t *testing.T) {
	boom := errors.New("broken on purpose")
	for name, breaks := range map[string]func(f *fault.Faults) []*fault.Rule{
		"policies": func(f *fault.Faults) []*fault.Rule {
			return []*fault.Rule{fault.On[messages.FindPolicies](f, "policies").Nth(3).Panic(boom)}
		},
		"discovery": func(f *fault.Faults) []*fault.Rule {
			return []*fault.Rule{fault.On[any](f, "discovery").Nth(30).Panic(boom)}
		},
		"both": func(f *fault.Faults) []*fault.Rule {
			return []*fault.Rule{
				fault.On[messages.FindPolicies](f, "policies").Nth(3).Panic(boom), fault.On[messages.StoreLost](f, "discovery").Nth(1).Panic(boom),
			}
		},
		"workloads": func(f *fault.Faults) []*fault.Rule {
			return []*fault.Rule{fault.On[messages.FindAddress](f, "workloads").Nth(3).Panic(boom)}
		},
	} {
		t.Run(name, func(t *testing.T) {
			admin := two()
			admin.Policies = []*messages.Authorization{bubble.Policy("no-admin", messages.ActionDeny, bubble.Ports(9090))}
			var broken []*fault.Rule
			underPlane(t, admin, func(_ *bubble.Plane, f *fault.Faults) { broken = breaks(f) }, func(t *testing.T, w *bubble.World, p *bubble.Plane, client, server *bubble.Node) {
				server.Echo("10.0.0.2:9090")
				client.Exchange("10.9.0.2:80", "before")
				p.Away(bubble.ErrAway)
				w.Pass(time.Hour)
				for range 10 { // the crash is among them
					c := client.Dial("10.9.0.2:80")
					c.Say("x")
					w.Pass(time.Second)
					_ = c.Close()
					client.WantRefused("10.0.0.2:9090")
				}
				w.Pass(time.Minute)
				client.Exchange("10.9.0.2:80", "after")
				client.WantRefused("10.0.0.2:9090")
				for _, rule := range broken {
					if rule.Injected() == 0 {
						t.Error("nothing crashed")
					}
				}
				p.Back()
				w.Pass(time.Minute)
				client.Exchange("10.9.0.2:80", "in the end")
			})
		})
	}
}
