package messages

import "encoding/hex"

// TraceID is a W3C trace id; the zero value means none.
type TraceID [16]byte

// SpanID is a W3C span id; the zero value means none.
type SpanID [8]byte

// IsZero reports whether t is no trace id.
func (t TraceID) IsZero() bool { return t == TraceID{} }

// String is 32 hex digits.
func (t TraceID) String() string { return hex.EncodeToString(t[:]) }

// IsZero reports whether s is no span id.
func (s SpanID) IsZero() bool { return s == SpanID{} }

// String is 16 hex digits.
func (s SpanID) String() string { return hex.EncodeToString(s[:]) }
