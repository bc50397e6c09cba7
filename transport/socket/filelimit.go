package socket

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// RaiseFileLimit raises the number of descriptors that the process may open to the most it may ask for. It returns
// the limits before and after. Go's runtime does the same at start, so both are often equal.
func RaiseFileLimit() (from, to uint64, err error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, 0, fmt.Errorf("read file descriptor limit: %w", err)
	}
	from, to = limit.Cur, limit.Max
	if from >= to {
		return from, from, nil
	}
	limit.Cur = to
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return from, from, fmt.Errorf("raise file descriptor limit from %d to %d: %w", from, to, err)
	}
	return from, to, nil
}
