package dns

import (
	"errors"
	"fmt"
	"testing"
	"time"

	wire "github.com/miekg/dns"

	"github.com/troupe-mesh/troupe/actors/fault"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/dnswire"
)

var errInjected = errors.New("broken on purpose")

// stage is how long the actors of a broken world wait for each other.
const stage = 150 * time.Millisecond

// faultsOver are the ways in which the actor of a role is broken over a message.
func faultsOver[T any](role string) map[string]func(*fault.Faults) {
	on := func(f *fault.Faults) *fault.Selector[T] { return fault.On[T](f, role) }
	return map[string]func(*fault.Faults){
		"panic":      func(f *fault.Faults) { on(f).Once().Panic(errInjected) },
		"crash loop": func(f *fault.Faults) { on(f).Next(4).Panic(errInjected) },
		"drop":       func(f *fault.Faults) { on(f).Once().Drop() },
		"delay":      func(f *fault.Faults) { on(f).Once().Delay(3 * stage) },
		"duplicate":  func(f *fault.Faults) { on(f).Duplicate() },
		"lose reply": func(f *fault.Faults) { on(f).Once().LoseReply() },
	}
}

// TestBroken breaks the proxy's actors over each message between them. A question that suffers is answered SERVFAIL or not
// at all; no answer is wrong; a client that asks again, as resolvers do, has its answer, for the mesh's names and for others.
func TestBroken(t *testing.T) {
	t.Parallel()
	for message, ways := range map[string]map[string]func(*fault.Faults){
		"dns over ResolveName":                 faultsOver[messages.ResolveName](Role),
		"dns-resolver over Asked":              faultsOver[dnswire.Asked](RoleResolver),
		"dns-resolver over LocalWorkloadFound": faultsOver[messages.LocalWorkloadFound](RoleResolver),
		"dns-resolver over HostFound":          faultsOver[messages.HostFound](RoleResolver),
		"dns-resolver over forwarded":          faultsOver[forwarded](RoleResolver),
		"dns-forwarder over forward":           faultsOver[forward](RoleForwarder),
		"dns-forwarder over landed":            faultsOver[landed](RoleForwarder),
	} {
		for way, strike := range ways {
			t.Run(message+"/"+way, func(t *testing.T) {
				t.Parallel()
				up := serveNames(t, zone(t, soa, "a.com. 60 A 10.0.0.1"))
				faults := fault.New()
				w := newFaultyWorld(t, faults, servers(stage, up.addr), func(c *Config) { c.WorkloadWait, c.StageDeadline = stage, stage })
				w.know([]*messages.Workload{client()}, []*messages.Service{kube("ns1", "cart", "10.0.0.9")})
				strike(faults)
				w.answeredInTheEnd("cart.ns1.", "10.0.0.9")
				w.answeredInTheEnd("a.com.", "10.0.0.1")
				w.eventually("a name for SOCKS", func() bool {
					m, err := kit.AskFor[*messages.NameResolved](t.Context(), w.system, w.proxy, &messages.ResolveName{Hostname: "cart.ns1"}, 5*stage)
					if err != nil || m.Err != nil {
						return false
					}
					if got := fmt.Sprint(m.Addrs); got != "[10.0.0.9]" {
						t.Fatalf("a wrong answer: %s", got)
					}
					return true
				})
				w.answeredInTheEnd("cart.ns1.", "10.0.0.9") // after whatever the last question broke
			})
		}
	}
}

// TestBrokenNews breaks the resolver over the news that services have changed. What it knows is forgotten all the same.
func TestBrokenNews(t *testing.T) {
	t.Parallel()
	for way, strike := range faultsOver[messages.HostsChanged](RoleResolver) {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			faults := fault.New()
			w := newFaultyWorld(t, faults)
			w.know([]*messages.Workload{client()}, []*messages.Service{kube("ns1", "cart", "10.0.0.8")})
			w.query("udp", "cart.ns1.", wire.TypeA)
			strike(faults)
			w.know(nil, []*messages.Service{kube("ns1", "cart", "10.0.0.9")})
			changed := time.Now()
			c := wire.Client{Net: "udp", Timeout: 5 * stage}
			w.eventually("the new address", func() bool {
				answer, _, err := c.Exchange(new(wire.Msg).SetQuestion("cart.ns1.", wire.TypeA), w.addr.String())
				if err != nil || len(answer.Answer) != 1 {
					return false
				}
				return answer.Answer[0].(*wire.A).A.String() == "10.0.0.9"
			})
			if took := time.Since(changed); took > knownFor+5*time.Second {
				t.Errorf("the old address was told for %v", took)
			}
		})
	}
}

// TestAQuestionThatComesTwiceIsAnsweredOnce looks at the datagrams.
func TestAQuestionThatComesTwiceIsAnsweredOnce(t *testing.T) {
	faults := fault.New()
	w := newFaultyWorld(t, faults)
	w.know([]*messages.Workload{client()}, []*messages.Service{kube("ns1", "cart", "10.0.0.9"), kube("ns1", "pay", "10.0.0.8")})
	fault.On[dnswire.Asked](faults, RoleResolver).Duplicate()
	c := w.dial("udp")
	buffer := make([]byte, 512)
	for _, name := range []string{"cart.ns1.", "cart.ns1.", "pay.ns1.", "pay.ns1."} { // found, and known by then
		w.send(c, name)
		n, err := c.Read(buffer)
		m := new(wire.Msg)
		if err != nil || m.Unpack(buffer[:n]) != nil || m.Question[0].Name != name || len(m.Answer) != 1 {
			t.Fatalf("%s: %v, %s", name, err, m)
		}
	}
	if n := w.server.Counters.Repeated.Load(); n != 4 {
		t.Errorf("%d repeated questions counted, want 4", n)
	}
}

// answeredInTheEnd asks until there is an answer, and wants none but the right one.
func (w *world) answeredInTheEnd(name, address string) {
	w.t.Helper()
	c := wire.Client{Net: "udp", Timeout: 5 * stage}
	w.eventually(name, func() bool {
		answer, _, err := c.Exchange(new(wire.Msg).SetQuestion(name, wire.TypeA), w.addr.String())
		if err != nil || answer.Rcode == wire.RcodeServerFailure {
			return false
		}
		if answer.Rcode != wire.RcodeSuccess || len(answer.Answer) != 1 || answer.Answer[0].(*wire.A).A.String() != address {
			w.t.Fatalf("a wrong answer:\n%v", answer)
		}
		return true
	})
}
