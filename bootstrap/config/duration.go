package config

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	durationRemedy = "write terms such as 90s, 1m30s, 5min or 2h + 30m"
	emptyInput     = "Empty input" // the reference's words
)

var (
	errDurationEmpty    = errors.New(emptyInput + "; " + durationRemedy) //nolint:staticcheck // the reference's words
	errDurationOverflow = errors.New("overflow error; the longest duration is about 292 years")
	errDurationMixed    = errors.New("cannot mix + or adjacent terms with *; " + durationRemedy)
)

const day = 24 * time.Hour

var durationUnits = namedUnits()

// namedUnits maps every spelling to its unit, in lower case.
func namedUnits() map[string]time.Duration {
	units := map[string]time.Duration{}
	for unit, names := range map[time.Duration]string{
		365 * day:        "y year years",
		30 * day:         "mon month months",
		7 * day:          "w week weeks",
		day:              "d day days",
		time.Hour:        "h hr hour hours",
		time.Minute:      "m min minute minutes",
		time.Second:      "s sec second seconds",
		time.Millisecond: "ms msec millisecond milliseconds",
		time.Microsecond: "µs µsec µsecond μs us usec usecond microsecond microseconds",
		time.Nanosecond:  "ns nsec nanosecond nanoseconds",
	} {
		for name := range strings.FieldsSeq(names) {
			units[name] = unit
		}
	}
	return units
}

// ParseDuration reads the reference's durations (spec/ops.md §1.2): terms of digits and a unit, adjacent or joined by +
// (sum) or by * (product, counted in seconds, so 1m*10 is ten minutes); the unit's case does not matter and its default
// is seconds; spaces may stand between all parts. There is no sign and no decimal point.
func ParseDuration(s string) (time.Duration, error) {
	if s == "" {
		return 0, errDurationEmpty
	}
	p := durationParser{rest: s}
	total, err := p.term()
	if err != nil {
		return 0, err
	}
	var joined byte
	for p.spaces(); p.rest != ""; p.spaces() {
		op := byte('+')
		if c := p.rest[0]; c == '+' || c == '*' {
			op, p.rest = c, p.rest[1:]
		}
		if joined != 0 && joined != op {
			return 0, errDurationMixed
		}
		joined = op
		next, err := p.term()
		if err != nil {
			return 0, err
		}
		if total, err = joinDurations(op, total, next); err != nil {
			return 0, err
		}
	}
	return total, nil
}

type durationParser struct {
	rest string
}

func (p *durationParser) spaces() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// term reads one number with its unit.
func (p *durationParser) term() (time.Duration, error) {
	p.spaces()
	number := p.take(func(r rune) bool { return r >= '0' && r <= '9' })
	if number == "" {
		return 0, fmt.Errorf("expected a digit at %q; %s", p.rest, durationRemedy)
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil {
		return 0, errDurationOverflow
	}
	p.spaces()
	name := p.take(func(r rune) bool { return unicode.IsLetter(r) })
	unit := time.Second
	if name != "" {
		var ok bool
		if unit, ok = durationUnits[strings.ToLower(name)]; !ok {
			return 0, fmt.Errorf("unknown unit %q, expected y, mon, w, d, h, m, s, ms, us or ns; %s", name, durationRemedy)
		}
	}
	if n > uint64(math.MaxInt64)/uint64(unit) {
		return 0, errDurationOverflow
	}
	return time.Duration(n) * unit, nil
}

// take cuts the longest run of runes that satisfy keep off the rest.
func (p *durationParser) take(keep func(rune) bool) string {
	end := 0
	for end < len(p.rest) {
		r, size := utf8.DecodeRuneInString(p.rest[end:])
		if !keep(r) {
			break
		}
		end += size
	}
	taken := p.rest[:end]
	p.rest = p.rest[end:]
	return taken
}

func joinDurations(op byte, a, b time.Duration) (time.Duration, error) {
	if op == '+' {
		if a > math.MaxInt64-b {
			return 0, errDurationOverflow
		}
		return a + b, nil
	}
	high, low := bits.Mul64(uint64(a), uint64(b))
	if high >= uint64(time.Second) {
		return 0, errDurationOverflow
	}
	product, _ := bits.Div64(high, low, uint64(time.Second))
	if product > math.MaxInt64 {
		return 0, errDurationOverflow
	}
	return time.Duration(product), nil
}
