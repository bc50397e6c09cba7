package sim

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/e2e/bubble"
)

// The time that a change of policy has to reach the connections that it ends.
const (
	promptly = 200 * time.Millisecond
	crippled = 10 * time.Second // messages get lost; actors are restarted
	slowed   = 2 * time.Minute  // messages come much too late
)

func (l *life) slack() time.Duration {
	switch {
	case !l.plan.trouble.actors:
		return promptly
	case l.plan.slow:
		return slowed
	}
	return crippled
}

// checkCalls checks bytes and ends.
func (l *life) checkCalls() {
	byID := map[int]*served{}
	for _, s := range l.apps.all {
		if s.wrong {
			l.fail("the application at %s:%d read something that call %d did not say", s.host, s.port, s.id)
		}
		if s.id < 0 {
			continue
		}
		if byID[s.id] != nil {
			l.fail("call %d arrived twice", s.id)
		}
		byID[s.id] = s
	}
	for _, c := range l.spoken {
		l.out.Calls++
		line := l.lineOf(c)
		well := c.connected && strings.HasPrefix(line, "info\t") && !l.wasCut(c) && !l.wasInStorm(c)
		if well {
			l.out.Went++
		}
		s := byID[c.id]
		l.checkBytes(c, s, well)
		if s != nil {
			l.checkPlace(c, s)
		}
		if l.plan.trouble == (trouble{}) {
			l.checkCalm(c, s, line)
		}
	}
}

// wasCut reports whether the called node may have cut the call: it resets the stream then, which the caller's node, by the
// rules of the wire, must take for its end (spec/dataplane.md §3.8).
func (l *life) wasCut(c *spoken) bool {
	for _, node := range l.mayReach(c) {
		for _, line := range l.out.Access[node] {
			if field(line, "error") != "" && strings.Contains(line, `direction="inbound"`) && strings.HasSuffix(field(line, "dst.hbone_addr"), fmt.Sprint(":", c.port())) {
				return true
			}
		}
	}
	return false
}

// wasInStorm reports whether the network between a call's ends misbehaved meanwhile. A tunnel that is reset ends its
// streams like their end, by the rules of the wire (§9), and one that its owner ends waits only so long for the peer to
// read what is under way.
func (l *life) wasInStorm(c *spoken) bool {
	for _, called := range l.mayReach(c) {
		for _, s := range l.storms {
			if s.between(c.from, called) && !s.over.Before(c.start) && !s.begun.After(c.end.Add(calming)) {
				return true
			}
		}
	}
	return false
}

// checkBytes checks what arrived of a call; well says that the log of its node calls it a success.
func (l *life) checkBytes(c *spoken, s *served, well bool) {
	if c.wrong {
		l.fail("%v: the client read something that nobody said, after %d bytes", c.call, c.got)
	}
	if s == nil {
		if c.got > 0 && c.port() != portSource && c.port() != portBanner {
			l.fail("%v: the client read %d bytes, and no application was called", c.call, c.got)
		}
		return
	}
	if s.got > c.sent {
		l.fail("%v: the application read %d bytes of %d", c.call, s.got, c.sent)
	}
	if c.got > s.sent {
		l.fail("%v: the client read %d bytes of %d", c.call, c.got, s.sent)
	}
	if !well {
		return
	}
	if c.sentAll && s.gotEnd && s.got != c.sent {
		l.fail("%v went well: the application read %d bytes of %d, and the end", c.call, s.got, c.sent)
	}
	if s.sentAll && c.gotEnd && c.got != s.sent {
		l.fail("%v went well: the client read %d bytes of %d, and the end", c.call, c.got, s.sent)
	}
	if c.port() == portSlow && c.gotEnd && s.sentAll && c.count != uint64(c.sent) {
		l.fail("%v: the application counted %d bytes of %d", c.call, c.count, c.sent)
	}
}

// checkPlace checks that a call arrived where it should.
func (l *life) checkPlace(c *spoken, s *served) {
	if c.port() != s.port {
		l.fail("%v arrived at port %d", c.call, s.port)
	}
	if !c.toService() {
		if addresses[s.host] != c.to.Addr().String() {
			l.fail("%v arrived at %s", c.call, s.host)
		}
		return
	}
	if some, _ := l.model.endpoint(c.from, s.host, c.start, s.accepted); !some {
		l.fail("%v arrived at %s, which was no endpoint", c.call, s.host)
	}
}

// checkCalm checks that a call went well that nothing stood in the way of.
func (l *life) checkCalm(c *spoken, s *served, line string) {
	if c.habit == quitter || c.port() == portResets || c.port() == portNobody {
		return
	}
	if c.toService() {
		for _, name := range []string{"b", "c"} {
			if _, all := l.model.endpoint(c.from, name, c.start, c.end); !all {
				return
			}
		}
	}
	if l.mayMeetRevocation(c) {
		return
	}
	for _, name := range l.mayReach(c) {
		if _, all := l.model.verdicts(c.from, name, c.port(), c.start, c.end); !all {
			return
		}
	}
	if c.from != plainWorkload && !strings.HasPrefix(line, "info\t") {
		l.fail("%v: nothing stood in its way, but %q (dial: %v)", c.call, line, c.dialError)
	}
	if s == nil || !c.sentAll || !c.gotEnd || !s.gotEnd {
		l.fail("%v: nothing stood in its way, but client %+v, application %+v", c.call, c, s)
	}
}

// mayReach are the workloads with a node that a call may go to.
func (l *life) mayReach(c *spoken) []string {
	if c.toService() {
		return meshed
	}
	name := caller(c.to.Addr())
	if !slices.Contains(meshed, name) {
		return nil
	}
	return []string{name}
}

// checkPolicy checks that nothing was connected that could not have been allowed, nor stayed so.
func (l *life) checkPolicy() {
	for _, s := range l.apps.all {
		from := caller(s.peer)
		if !slices.Contains(meshed, s.host) || from == s.host && s.id < 0 {
			continue
		}
		start := s.accepted.Add(-patience)
		if s.id >= 0 {
			start = l.spoken[s.id].start
			from = l.spoken[s.id].from
		}
		if from == "" {
			l.fail("the application at %s:%d was called by %v", s.host, s.port, s.peer)
			continue
		}
		if some, _ := l.model.verdicts(from, s.host, s.port, start, s.accepted); !some {
			l.fail("call %d from %s to %s:%d at +%v was connected, and no policy in force allowed it", s.id, from, s.host, s.port, s.accepted.Sub(l.begun))
		}
		l.checkStay(s, from, start)
	}
}

// checkStay checks that a connection ended when policy denied it.
func (l *life) checkStay(s *served, from string, start time.Time) {
	drained, isDrained := l.drained[s.host]
	for _, t := range l.model.nodes[s.host] {
		if isDrained && t.applied.Add(l.slack()).After(drained) {
			return // what lives through a drain is not asked about again (spec/dataplane.md §8)
		}
		if t.applied.Before(s.accepted) || t.applied.Add(l.slack()).After(s.over) {
			continue
		}
		if l.model.denied(from, s.host, s.port, start, t.applied.Add(1), t.applied.Add(l.slack())) {
			l.fail("call %d from %s to %s:%d was denied at +%v and lived until +%v", s.id, from, s.host, s.port, t.applied.Sub(l.begun), s.over.Sub(l.begun))
			return
		}
	}
}

// lineOf is the line of a call in the log of its own node, without scope; empty when there is none, or no such node.
func (l *life) lineOf(c *spoken) string {
	for _, line := range l.out.Access[c.from] {
		if c.connected && strings.Contains(line, `direction="outbound"`) && field(line, "src.addr") == c.local {
			return line
		}
	}
	return ""
}

// checkLog checks that every connection has its one line.
func (l *life) checkLog() {
	for _, node := range meshed {
		lines := map[netip.AddrPort]int{}
		for _, line := range l.out.Access[node] {
			failed := field(line, "error")
			l.out.Ends[failed]++
			if (failed != "") != !strings.HasPrefix(line, "info\t") {
				l.fail("%s: a line is of the wrong level: %s", node, line)
			}
			peer, err := netip.ParseAddrPort(field(line, "src.addr"))
			if err != nil {
				l.fail("%s: %v in %s", node, err, line)
				continue
			}
			lines[peer]++
		}
		l.checkLines(node, lines)
	}
}

func (l *life) checkLines(node string, lines map[netip.AddrPort]int) {
	crashed := l.plan.trouble.actors && len(bubble.EventsOf[kit.Restarted](l.nodes[node])) > 0
	for at, n := range l.entered.flows {
		if at.node != node {
			continue
		}
		least, most := n, n+l.entered.tunnels[at]
		if crashed { // the message that hands a connection over may be the one over which an actor crashes
			least = 0
		}
		if got := lines[at.peer]; got < least || got > most {
			l.fail("%s: %d lines for %d connections of %v", node, got, n, at.peer)
		}
		delete(lines, at.peer)
	}
	for peer, got := range lines {
		if most := l.entered.tunnels[entrance{node, peer}]; got > most {
			l.fail("%s: %d lines for %v, which never came", node, got, peer)
		}
	}
}

// field is a field of a line; empty when it is not there.
func field(line, name string) string {
	_, rest, _ := strings.Cut(line, "\t"+name+"=")
	if rest == "" {
		_, rest, _ = strings.Cut(line, " "+name+"=")
	}
	if value, err := strconv.QuotedPrefix(rest); err == nil {
		value, _ = strconv.Unquote(value)
		return value
	}
	value, _, _ := strings.Cut(rest, " ")
	return value
}
