package traceparent

import "strings"

// Mark is the member of tracestate by which our nodes know each other.
const Mark = "troupe=1"

// The limits of a tracestate. The specification demands that at least 512 characters are passed on; what is longer
// we shorten from its end, where the oldest members are.
const (
	maxMembers    = 32
	maxState      = 512
	maxKey        = 256
	maxValue      = 256
	maxTenant     = 241
	maxSystem     = 14
	maxStateBytes = 8 << 10 // beyond it a header is not even read
)

// HasMark says whether the header lines, in order, are a valid tracestate with our mark in it.
func HasMark(lines ...string) bool {
	members, ok := split(lines)
	if !ok {
		return false
	}
	for _, m := range members {
		if m == Mark {
			return true
		}
	}
	return false
}

// AddMark is the tracestate to send on: the members of the header lines with our mark in front, as the latest to
// touch it must be. Lines that are not a valid tracestate are left out altogether, as the specification demands.
func AddMark(lines ...string) string {
	members, ok := split(lines)
	if !ok {
		return Mark
	}
	var b strings.Builder
	b.WriteString(Mark)
	count := 1
	for _, m := range members {
		key, _, _ := strings.Cut(m, "=")
		if key == "troupe" {
			continue
		}
		if count == maxMembers || b.Len()+1+len(m) > maxState {
			break
		}
		b.WriteByte(',')
		b.WriteString(m)
		count++
	}
	return b.String()
}

// split takes the members out of the lines. It is false if any is malformed, if a key comes twice or if there are
// too many.
func split(lines []string) (members []string, ok bool) {
	total := 0
	for _, line := range lines {
		if total += len(line); total > maxStateBytes {
			return nil, false
		}
		for m := range strings.SplitSeq(line, ",") {
			m = strings.Trim(m, " \t")
			if m == "" { // allowed, and says nothing
				continue
			}
			if len(members) == maxMembers || !validMember(m) || repeats(members, m) {
				return nil, false
			}
			members = append(members, m)
		}
	}
	return members, true
}

func repeats(members []string, m string) bool {
	key := m[:strings.IndexByte(m, '=')+1]
	for _, o := range members {
		if strings.HasPrefix(o, key) {
			return true
		}
	}
	return false
}

func validMember(m string) bool {
	key, value, ok := strings.Cut(m, "=")
	return ok && validKey(key) && validValue(value)
}

// validKey accepts a simple key, or tenant@system.
func validKey(key string) bool {
	tenant, system, multi := strings.Cut(key, "@")
	if !multi {
		return keyPart(key, maxKey, false)
	}
	return keyPart(tenant, maxTenant, true) && keyPart(system, maxSystem, false)
}

// keyPart accepts lower-case letters, digits, and _-*/ but at the beginning; only a tenant begins with a digit.
func keyPart(s string, limit int, digitFirst bool) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter, number := 'a' <= c && c <= 'z', '0' <= c && c <= '9'
		switch {
		case letter, number && (i > 0 || digitFirst):
		case i > 0 && strings.IndexByte("_-*/", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// validValue accepts printable ASCII but comma and equals sign, and no blank at the end.
func validValue(s string) bool {
	if s == "" || len(s) > maxValue || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == ',' || c == '=' {
			return false
		}
	}
	return true
}
