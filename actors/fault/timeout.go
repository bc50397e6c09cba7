package fault

import (
	"strings"
	"time"
)

// TimeoutError says that what a test awaited did not happen, and what happened instead.
type TimeoutError struct {
	// Awaited is what did not happen, Within the time for it.
	Awaited string
	Within  time.Duration
	// Instead is what happened meanwhile, for whoever looks for the cause.
	Instead []string
}

// Error is the whole story.
func (e *TimeoutError) Error() string {
	text := e.Awaited + " within " + e.Within.String()
	if len(e.Instead) > 0 {
		text += "; " + strings.Join(e.Instead, "; ")
	}
	return text
}

// Timeout says that it is one, as net.Error does.
func (e *TimeoutError) Timeout() bool { return true }

// TB is what of a test a probe needs.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}
