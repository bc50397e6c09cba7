package hbone

import "sync/atomic"

// Stats count what an endpoint refused or cut short because of a limit, one counter for each limit. The zero value
// is ready, and may be shared by any number of connections.
type Stats struct {
	// Connections ended because the peer exceeded a rate.
	ResetFloods, PingFloods, SettingsFloods, EmptyFrameFloods, IgnoredFrameFloods, ContinuationFloods, ErrorFloods atomic.Uint64
	// Connections ended because provoked frames piled up unread.
	ProvokedOverflows atomic.Uint64
	// Connections ended by a deadline.
	PingTimeouts, PrefaceTimeouts, HeaderTimeouts, LingerTimeouts atomic.Uint64
	// CONNECTs that were not answered in time (client).
	ConnectTimeouts atomic.Uint64
	// Connections ended by a protocol, compression, frame size or flow-control error of the peer.
	ProtocolErrors, FlowControlErrors atomic.Uint64

	// Streams refused: malformed, above the header list limit, above the stream limit.
	MalformedStreams, HeaderListsTooLarge, StreamsRefused atomic.Uint64
	// Times a writer waited for the write queue, and times the connection's window was withheld because too much
	// waited for slow applications.
	QueueWaits, WindowsWithheld atomic.Uint64
	// Times a stream's bytes had to be kept because its application was slow.
	SlowApplications atomic.Uint64
}
