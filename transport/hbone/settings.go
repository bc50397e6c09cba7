package hbone

import "time"

// Settings say how one end of a tunnel behaves. Zero fields take the role's default.
type Settings struct {
	// StreamWindow and ConnWindow are the receive windows in bytes, at most 2^31-1.
	StreamWindow, ConnWindow uint32
	// MaxFrameSize is the largest payload accepted in bytes, 16,384 to 16,777,215.
	MaxFrameSize uint32
	// MaxHeaderListSize is the largest header list accepted in bytes, counted as RFC 9113 §6.5.2 does.
	MaxHeaderListSize uint32
	// MaxConcurrentStreams is, for a server, how many streams a client may have open; for a client, the limit
	// assumed until the server's SETTINGS arrive.
	MaxConcurrentStreams uint32

	// PingInterval is the time from the start, or from the last answer, to the next keepalive PING; PingTimeout is
	// how long its answer may take.
	PingInterval, PingTimeout time.Duration
	// PrefaceTimeout bounds the wait for the peer's preface, its SETTINGS and its acknowledgement of ours.
	PrefaceTimeout time.Duration
	// HeaderTimeout bounds the time from the first to the last byte of a header block.
	HeaderTimeout time.Duration
	// ConnectTimeout bounds the wait for the answer to a CONNECT (client).
	ConnectTimeout time.Duration
	// LingerTimeout bounds the wait for the peer's end after we have sent everything and our own end.
	LingerTimeout time.Duration

	// StreamSendBuffer is how many bytes may be in the connection's write queue before a stream's writer waits.
	StreamSendBuffer int
	// MaxBuffered is how many received bytes may wait for slow applications, over all streams, before the
	// connection's window is withheld.
	MaxBuffered int

	// Stats counts what this end refused; shared by any number of connections. Nil counts nothing.
	Stats *Stats
}

const (
	kib = 1 << 10
	mib = 1 << 20
)

// ClientDefaults are the settings of tunnels that we open (spec/dataplane.md §3.6).
func ClientDefaults() Settings {
	return Settings{
		StreamWindow:         4 * mib,
		ConnWindow:           16 * mib,
		MaxFrameSize:         1 * mib,
		MaxHeaderListSize:    16 * kib,
		MaxConcurrentStreams: 100,
		PingInterval:         10 * time.Second,
		PingTimeout:          20 * time.Second,
		PrefaceTimeout:       10 * time.Second,
		HeaderTimeout:        10 * time.Second,
		ConnectTimeout:       60 * time.Second,
		LingerTimeout:        time.Second,
		StreamSendBuffer:     256 * kib,
		MaxBuffered:          128 * mib,
	}
}

// ServerDefaults are the settings of tunnels that we accept (spec/dataplane.md §3.6).
func ServerDefaults() Settings {
	s := ClientDefaults()
	s.MaxHeaderListSize = 64 * kib
	s.MaxConcurrentStreams = 200
	return s
}

// or fills the zero fields of s from d and clips what the protocol does not allow.
func (s Settings) or(d Settings) Settings {
	fill(&s.StreamWindow, d.StreamWindow)
	fill(&s.ConnWindow, d.ConnWindow)
	fill(&s.MaxFrameSize, d.MaxFrameSize)
	fill(&s.MaxHeaderListSize, d.MaxHeaderListSize)
	fill(&s.MaxConcurrentStreams, d.MaxConcurrentStreams)
	fill(&s.PingInterval, d.PingInterval)
	fill(&s.PingTimeout, d.PingTimeout)
	fill(&s.PrefaceTimeout, d.PrefaceTimeout)
	fill(&s.HeaderTimeout, d.HeaderTimeout)
	fill(&s.ConnectTimeout, d.ConnectTimeout)
	fill(&s.LingerTimeout, d.LingerTimeout)
	fill(&s.StreamSendBuffer, d.StreamSendBuffer)
	fill(&s.MaxBuffered, d.MaxBuffered)
	s.StreamWindow = min(s.StreamWindow, maxWindow)
	s.ConnWindow = min(max(s.ConnWindow, initialWindow), maxWindow)
	s.MaxFrameSize = min(max(s.MaxFrameSize, minFrameSize), maxFrameSize)
	if s.Stats == nil {
		s.Stats = new(Stats)
	}
	return s
}

func fill[T comparable](p *T, d T) {
	var zero T
	if *p == zero {
		*p = d
	}
}
