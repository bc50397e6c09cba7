package socket

import (
	"net/netip"
	"time"
)

// DefaultDialTimeout bounds one dial, from socket creation to established (spec/dataplane.md §1.5).
const DefaultDialTimeout = 10 * time.Second

// Keepalive is TCP keepalive as KEEPALIVE_ENABLED, _TIME, _INTERVAL and _RETRIES say (spec/dataplane.md §1.2).
type Keepalive struct {
	Enabled bool
	// Time is how long a connection is idle before the first probe, Interval the time between probes. The kernel
	// takes whole seconds from 1 to 32767; fractions are rounded up.
	Time, Interval time.Duration
	// Retries is how many probes stay unanswered before the connection ends, 1 to 127.
	Retries int
}

// DefaultKeepalive is the reference's: 180 s, 180 s, 9.
var DefaultKeepalive = Keepalive{Enabled: true, Time: 180 * time.Second, Interval: 180 * time.Second, Retries: 9}

// UserTimeout is the TCP_USER_TIMEOUT that goes with k: as long as the keepalive takes to give up.
func (k Keepalive) UserTimeout() time.Duration { return k.Time + time.Duration(k.Retries)*k.Interval }

// Config is what all sockets of a kernel network have in common. The zero value means: no mark, no keepalive, no
// user time-out, the default dial time-out and the system's backlog.
type Config struct {
	// Mark is the SO_MARK of every dialled socket, so that redirection leaves it alone; 0 sets none. Where it
	// can't be set the dial fails.
	Mark uint32
	// Local is the address to dial from where no source is asked for and the family fits; not valid, the kernel chooses.
	Local netip.Addr
	// MarkListeners sets the mark on listening sockets too, and thereby on what they accept (in-pod mode).
	MarkListeners bool
	// Keepalive goes on dialled sockets, and on accepted ones where ListenOptions asks for it.
	Keepalive Keepalive
	// UserTimeout sets TCP_USER_TIMEOUT, derived from Keepalive, on the same sockets.
	UserTimeout bool
	// DialTimeout bounds a dial; 0 means DefaultDialTimeout.
	DialTimeout time.Duration
	// Backlog is the length of a listener's accept queue; 0 means the system's maximum (net.core.somaxconn).
	Backlog int
	// Warn, where set, is told of failures that a dial or a listener survives: a *SpoofError when a source could
	// not be preserved, else SO_REUSEPORT's. It is called on the caller's goroutine and must not block.
	Warn func(error)
}

// kernel is the kernel's network.
type kernel struct {
	cfg Config
	// ports, where set, is asked for the ports of connections that borrow their address.
	ports func() uint16
}

var _ Network = (*kernel)(nil)

// New makes the kernel's network with cfg.
func New(cfg Config) Network {
	if cfg.DialTimeout <= 0 {
		cfg.DialTimeout = DefaultDialTimeout
	}
	return &kernel{cfg: cfg}
}

func (k *kernel) warn(err error) {
	if k.cfg.Warn != nil {
		k.cfg.Warn(err)
	}
}
