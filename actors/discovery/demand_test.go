package discovery

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/xds"
)

// caller asks for resources and notes the answers.
type caller struct {
	asks      kit.Asks
	discovery *actor.PID
	said      listeners
}

type want1 struct {
	name string
	wait time.Duration
}

// Receive asks, and notes.
func (c *caller) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case want1:
		ctx.Request(c.discovery, &messages.DemandResource{Question: c.asks.Question(ctx, time.Hour), Name: m.name, Wait: m.wait})
	case *messages.ResourceDemanded:
		if c.asks.Answered(m) {
			c.said.note("%s %s after %s", m.Name, m.Outcome, m.Held)
		}
	}
}

func onDemand(c *Control) { c.OnDemand = true }

// demander is a scene with somebody who asks.
func demander(t *testing.T, change func(*Control)) (*scene, func(name string, wait time.Duration), func(...string)) {
	t.Helper()
	c := stage(t, State{}, change)
	one := &caller{discovery: c.pid, asks: kit.Asks{MaxOpen: 2 * maxAskers}}
	pid, err := c.system.SpawnRoot(kit.Spec{Role: "caller", Capacity: 20_000, New: func() actor.Actor { return one }}, "caller")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(name string, wait time.Duration) {
		c.system.Send(pid, want1{name, wait})
		synctest.Wait()
	}
	answered := func(want ...string) {
		t.Helper()
		wantAre(t, "the caller heard", one.said.take(), want)
	}
	return c, ask, answered
}

// A look-up wakes on the resource's name and on its aliases, and on a removal; what was not found by its own name is
// unsubscribed from, so that the next look-up is answered (CP5, CP6, CP123; the reference's test_on_demand_handling).
func TestDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ask, answered := demander(t, onDemand)
		c.asked("addresses +[*] -[*]", "policies")
		l := c.server.last(t)
		l.say(rules("1"))
		c.said.take()
		l.take()

		ask("/a-ip", 0)
		ask("/a-ip", 0)
		c.asked("addresses +[/a-ip]") // one look-up for both
		answered()
		pass(time.Second)
		l.say(pods("2", "a"))
		answered("/a-ip arrived after 1s", "/a-ip arrived after 1s")
		c.asked("addresses nonce 2", "addresses +[a] -[/a-ip]")

		ask("b", 0)
		l.say(pods("3", "b"))
		answered("b arrived after 0s")
		c.asked("addresses +[b]", "addresses nonce 3") // it stays subscribed to
		ask("b", 0)
		answered("b arrived after 0s")
		c.asked()

		ask("/none", 0)
		missed := pods("4")
		missed.Removed = []string{"/none"}
		l.say(missed)
		answered("/none absent after 0s")
		c.asked("addresses +[/none]", "addresses nonce 4", "addresses +[a] -[/none]")
		ask("/none", 0)
		answered("/none absent after 0s")
		c.asked() // a moment ago it was not there
		pass(2 * time.Second)
		ask("/none", 0)
		c.asked("addresses +[/none]")
		l.say(pods("5", "none"))
		c.server.last(t).take()
		ask("/bad", 0)
		bad := pods("6")
		bad.Rejected = []xds.Reject{{Name: "bad", Aliases: []string{"/bad"}, Reason: errors.New("no good")}}
		l.say(bad)
		answered("/bad absent after 0s")
		c.end()
	})
}

// What is unsubscribed from goes together with the name of something that stays: istiod answers a request without a name
// with the removal of all that is subscribed to. A workload is best, then anything that is held, or that is being looked up.
func TestUnsubscribingNamesWhatStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ask, _ := demander(t, onDemand)
		l := c.server.last(t)
		l.take()
		miss := func(name string) {
			ask(name, 0)
			missed := pods("n")
			missed.Removed = []string{name}
			l.say(missed)
		}
		miss("/1") // nothing stays
		c.asked("addresses +[/1]", "addresses nonce n", "addresses -[/1]")
		ask("/later", time.Minute)
		ask("/again", time.Minute)
		miss("/2")
		c.asked("addresses +[/later]", "addresses +[/again]", "addresses +[/2]", "addresses nonce n", "addresses +[/again] -[/2]")
		service := pods("n")
		service.Items = []xds.Item{{Name: "ns/a", Service: &messages.Service{Namespace: "ns", Hostname: "a"}}}
		l.say(service)
		miss("/3")
		c.asked("addresses nonce n", "addresses +[/3]", "addresses nonce n", "addresses +[ns/a] -[/3]")
		l.say(pods("n", "z", "y"))
		miss("/4")
		c.asked("addresses nonce n", "addresses +[/4]", "addresses nonce n", "addresses +[y] -[/4]")
		l.say(pods("n", "b")) // the one in use is kept
		miss("/5")
		c.asked("addresses nonce n", "addresses +[/5]", "addresses nonce n", "addresses +[y] -[/5]")
		gone := pods("n")
		gone.Removed = []string{"y"}
		l.say(gone)
		c.asked("addresses nonce n", "addresses +[b] -[y]")
		c.end()
	})
}

// A look-up that nobody answers ends at its deadline, also while there is no server at all, and is forgotten.
func TestDemandDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ask, answered := demander(t, onDemand)
		l := c.server.last(t)
		l.take()
		ask("/slow", 0)
		ask("/slow", 20*time.Second)
		pass(5 * time.Second)
		answered("/slow late after 5s")
		c.asked("addresses +[/slow]")
		pass(15 * time.Second)
		answered("/slow late after 20s")
		c.asked("addresses -[/slow]")

		c.server.setRefuse(errors.New("nobody there"))
		l.say(io.EOF)
		ask("/down", time.Second)
		pass(time.Second)
		answered("/down late after 1s")
		ask("/waits-ip", time.Minute)
		ask("/forever", time.Hour)
		c.server.setRefuse(nil)
		pass(20 * time.Second)
		c.asked("addresses +[*] -[*]", "policies", "addresses +[/forever /waits-ip]")
		c.server.last(t).say(pods("1", "waits"))
		pass(time.Minute)
		answered("/waits-ip arrived after 20s", "/forever late after 1m0s")
		c.end()
	})
}

// Look-ups are bounded, and everything is known without them in the ordinary mode.
func TestDemandLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ask, answered := demander(t, onDemand)
		for i := range maxDemands {
			ask(fmt.Sprint("/", i), time.Second)
		}
		answered()
		ask("/one too many", time.Second)
		answered("/one too many refused after 0s")
		ask("/0", time.Second) // joins
		answered()
		pass(time.Second)
		c.end()

		c, ask, answered = demander(t, nil)
		ask("/a", 0)
		answered("/a unsupported after 0s")
		c.end()
	})
}

// Among many resources a caller hears of its own only when the stores have it (the reference's
// test_on_demand_cache_coherency).
func TestDemandAnswersAfterTheStores(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, ask, answered := demander(t, onDemand)
		ask("w9999", time.Minute)
		c.said.take()
		c.said.crash(1) // policies: the stores are not done
		l := c.server.last(t)
		l.responses <- rules("1", "ns/p")
		many := pods("2")
		for i := range 10_000 {
			many.Items = append(many.Items, pods("", fmt.Sprint("w", i)).Items...)
		}
		l.say(many)
		answered()
		pass(time.Second)
		answered("w9999 arrived after 100ms")
		if said := c.said.take(); len(said) != 22 || said[21] != "workloads 500 reset=false more=false" {
			t.Errorf("the stores heard %d messages: %q", len(said), said)
		}
		c.end()
	})
}
