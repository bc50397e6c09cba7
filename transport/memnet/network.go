package memnet

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// The defaults of Options.
const (
	DefaultBuffer  = 256 << 10
	DefaultBacklog = 128
)

// Options are what all hosts and links of a network have in common. The zero value is a network without latency.
type Options struct {
	// Link is how hosts are connected; SetLink changes one pair. A host reaches itself at once.
	Link Link
	// Buffer is how many bytes each direction of a connection holds that were written and not yet read; 0 means
	// DefaultBuffer.
	Buffer int
	// Backlog is how many connections wait to be accepted; dials beyond it get no answer. 0 means DefaultBacklog.
	Backlog int
	// Skew, where set, is a further latency of what one end of a connection sends at a time, and of a dial, by a number
	// that each has of its own. Where the skews differ, for each number from one instant to the next too, no news of two
	// connections arrives at the same instant, so that who comes first is the network's choice and not that of whoever
	// runs the goroutines. For the same reason a sender then hears of room in the receiver's buffer as late as of
	// everything else.
	Skew func(number uint64, at time.Time) time.Duration
	// DialTimeout bounds a dial; 0 means socket.DefaultDialTimeout.
	DialTimeout time.Duration
	// Warn, where set, is told of sources that could not be preserved.
	Warn func(error)
}

// Network connects hosts. One lock guards all of its state: no wait holds it.
type Network struct {
	options Options

	mu      sync.Mutex
	hosts   map[netip.Addr]*Host
	links   map[pair]*link
	conns   map[*conn]struct{}
	serial  uint64
	changed signal // a link or a listener became different
}

// New makes a network without hosts.
func New(o Options) *Network {
	if o.Buffer <= 0 {
		o.Buffer = DefaultBuffer
	}
	if o.Backlog <= 0 {
		o.Backlog = DefaultBacklog
	}
	if o.DialTimeout <= 0 {
		o.DialTimeout = socket.DefaultDialTimeout
	}
	return &Network{
		options: o,
		hosts:   make(map[netip.Addr]*Host),
		links:   make(map[pair]*link),
		conns:   make(map[*conn]struct{}),
	}
}

// AddHost adds a host with addresses; loopback addresses it has without saying. It panics if another host has one
// of them, since that is a mistake in the test that builds the network.
func (n *Network) AddHost(addrs ...netip.Addr) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := &Host{net: n, transparent: true, ports: make(map[uint16]struct{}), port: firstEphemeral}
	for _, a := range addrs {
		a = a.Unmap()
		if n.hosts[a] != nil || a.IsLoopback() || a.IsUnspecified() || !a.IsValid() {
			panic(fmt.Sprintf("memnet: address %s can't be added", a))
		}
		n.hosts[a] = h
		h.addrs = append(h.addrs, a)
	}
	n.serial++
	h.serial = n.serial
	return h
}

// SetLink changes the link between two hosts, for what is sent from now on.
func (n *Network) SetLink(a, b *Host, l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link(a, b).Link = l
	n.changed.notify()
}

// Partition stops everything between two hosts. Nobody is told: dials get no answer and bytes don't arrive.
func (n *Network) Partition(a, b *Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.link(a, b); a != b && !l.cut {
		l.cut, l.since = true, time.Now()
		n.changed.notify()
	}
}

// Heal ends a partition. What could not arrive meanwhile does so one latency later.
func (n *Network) Heal(a, b *Host) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.link(a, b)
	if !l.cut {
		return
	}
	l.cut = false
	now := time.Now()
	for _, c := range n.between(a, b) {
		c.resend(l.since, now.Add(l.Latency+c.in.skew()))
		c.changed.notify()
	}
	n.changed.notify()
}

// Reset breaks every connection between two hosts at once, as a middlebox does that sends a RST both ways. It
// returns how many there were. The connections of a host with itself are those between a and a.
func (n *Network) Reset(a, b *Host) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	ends := n.between(a, b)
	for _, c := range ends {
		c.resetBy(time.Now().Add(c.in.skew()))
	}
	return len(ends) / 2
}

// number is a new number; the caller holds the lock.
func (n *Network) number() uint64 {
	n.serial++
	return n.serial
}

// skew is that of a number now.
func (n *Network) skew(number uint64) time.Duration {
	if n.options.Skew == nil {
		return 0
	}
	return n.options.Skew(number, time.Now())
}

// Open is how many ends of connections are open, those that wait to be accepted included.
func (n *Network) Open() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	open := 0
	for c := range n.conns {
		if !c.closed {
			open++
		}
	}
	return open
}

// between are the ends of the connections of two hosts, in the order in which they were made.
func (n *Network) between(a, b *Host) []*conn {
	l := n.link(a, b)
	var ends []*conn
	for c := range n.conns {
		if c.link == l {
			ends = append(ends, c)
		}
	}
	slices.SortFunc(ends, func(x, y *conn) int { return cmp.Compare(x.serial, y.serial) })
	return ends
}
