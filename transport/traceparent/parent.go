package traceparent

// Length is how long a traceparent is.
const Length = 55

// sampled is the one flag that version 00 knows.
const sampled = 1

// Parent is a traceparent.
type Parent struct {
	TraceID [16]byte
	SpanID  [8]byte
	// Sampled says that the sender records the trace.
	Sampled bool
}

// Parse reads a traceparent of version 00. It is false for every other version, for upper-case digits and for ids
// that are zero. Flags other than sampled are ignored.
func Parse(s string) (Parent, bool) {
	if len(s) != Length || s[:3] != "00-" || s[35] != '-' || s[52] != '-' {
		return Parent{}, false
	}
	var p Parent
	var flags [1]byte
	if !unhex(p.TraceID[:], s[3:35]) || !unhex(p.SpanID[:], s[36:52]) || !unhex(flags[:], s[53:]) {
		return Parent{}, false
	}
	if p.TraceID == [16]byte{} || p.SpanID == [8]byte{} {
		return Parent{}, false
	}
	p.Sampled = flags[0]&sampled != 0
	return p, true
}

// String is the header's value.
func (p Parent) String() string {
	b := make([]byte, 0, Length)
	b = append(b, "00-"...)
	b = hex(b, p.TraceID[:])
	b = append(b, '-')
	b = hex(b, p.SpanID[:])
	if p.Sampled {
		return string(append(b, "-01"...))
	}
	return string(append(b, "-00"...))
}

const digits = "0123456789abcdef"

func hex(to, from []byte) []byte {
	for _, b := range from {
		to = append(to, digits[b>>4], digits[b&15])
	}
	return to
}

// unhex is stricter than encoding/hex: only lower-case digits are allowed.
func unhex(to []byte, from string) bool {
	for i := range to {
		high, ok1 := digit(from[2*i])
		low, ok2 := digit(from[2*i+1])
		if !ok1 || !ok2 {
			return false
		}
		to[i] = high<<4 | low
	}
	return true
}

func digit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
