package identity

import "sync/atomic"

// RevocationCounters count what was read of the revocation lists since the start.
type RevocationCounters struct {
	// Loaded are the times that changed lists were read, Failed those that the file could not be used.
	Loaded, Failed atomic.Uint64
}
