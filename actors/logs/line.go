package logs

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/troupe-mesh/troupe/messages"
)

const (
	timeLayout    = "2006-01-02T15:04:05.000000Z"
	crateRoot     = "ztunnel::"
	maxKeptLine   = 64 << 10
	durationUnit  = "ms"
	fieldNameText = "message"
)

// Line is one log line under construction, for one goroutine. All methods do nothing on nil. After Send it must not be
// used; a line that is not sent is lost.
type Line struct {
	logger *Logger
	level  Level
	state  *scoped
	// event encodes JSON; nil in the plain format, where buf is the line so far.
	event *zerolog.Event
	buf   []byte
	first bool // no field yet
	// keys are the names so far, kept only where the filter looks at them.
	keys []string
}

func (n *Line) start(g *Logger, level Level, state *scoped, message string) {
	*n = Line{logger: g, level: level, state: state, buf: n.buf[:0], keys: n.keys[:0], first: true}
	n.buf = time.Now().UTC().AppendFormat(n.buf, timeLayout)
	if g.logs.format == JSON {
		n.event = g.logs.zero.Log().Str("level", level.String()).Bytes("time", n.buf).Str("scope", g.scope.target) //nolint:zerologlint // Line.Send sends it
		if message != "" {
			n.event.Str(fieldNameText, message)
		}
		n.buf = n.buf[:0]
	} else {
		n.startPlain(message)
	}
	if message != "" {
		n.note(fieldNameText)
	}
}

func (n *Line) startPlain(message string) {
	b := append(append(append(n.buf, '\t'), n.level.String()...), '\t')
	b = append(b, strings.TrimPrefix(n.logger.scope.target, crateRoot)...)
	for i := range n.logger.spans {
		if s := &n.logger.spans[i]; s.visible() {
			b = append(b, s.text...)
		}
	}
	if message != "" {
		b = append(append(append(b, '\t'), message...), '\t')
	}
	n.buf = b
}

// key begins a field in text: the tab that starts them or the space that parts them, the name and =.
func (n *Line) key(name string) {
	switch {
	case !n.first:
		n.buf = append(n.buf, ' ')
	case n.buf[len(n.buf)-1] != '\t':
		n.buf = append(n.buf, '\t')
	}
	n.first = false
	n.buf = append(append(n.buf, name...), '=')
}

func (n *Line) note(name string) {
	if n.state.directives != nil {
		n.keys = append(n.keys, name)
	}
}

// Str adds a text that is shown in quotes.
func (n *Line) Str(name, value string) *Line {
	if n == nil {
		return nil
	}
	n.note(name)
	if n.event != nil {
		n.event.Str(name, value)
		return n
	}
	n.key(name)
	n.buf = appendQuoted(n.buf, value)
	return n
}

// OptStr is Str, left out when the text is empty.
func (n *Line) OptStr(name, value string) *Line {
	if value == "" {
		return n
	}
	return n.Str(name, value)
}

// Display adds a text that is shown bare.
func (n *Line) Display(name, value string) *Line {
	if n == nil {
		return nil
	}
	n.note(name)
	if n.event != nil {
		n.event.Str(name, value)
		return n
	}
	n.key(name)
	n.buf = appendBare(n.buf, value)
	return n
}

// AddrPort adds a socket address, shown bare.
func (n *Line) AddrPort(name string, value netip.AddrPort) *Line {
	if n == nil {
		return nil
	}
	n.note(name)
	if n.event != nil {
		n.buf = value.AppendTo(n.buf[:0])
		n.event.Bytes(name, n.buf)
		return n
	}
	n.key(name)
	n.buf = value.AppendTo(n.buf)
	return n
}

// Int adds a number.
func (n *Line) Int(name string, value int64) *Line {
	if n == nil {
		return nil
	}
	n.note(name)
	if n.event != nil {
		n.event.Int64(name, value)
		return n
	}
	n.key(name)
	n.buf = strconv.AppendInt(n.buf, value, 10)
	return n
}

// Uint adds a number that is never negative.
func (n *Line) Uint(name string, value uint64) *Line {
	if n == nil {
		return nil
	}
	n.note(name)
	if n.event != nil {
		n.event.Uint64(name, value)
		return n
	}
	n.key(name)
	n.buf = strconv.AppendUint(n.buf, value, 10)
	return n
}

// Bool adds a truth value.
func (n *Line) Bool(name string, value bool) *Line {
	if n == nil {
		return nil
	}
	n.note(name)
	if n.event != nil {
		n.event.Bool(name, value)
		return n
	}
	n.key(name)
	n.buf = strconv.AppendBool(n.buf, value)
	return n
}

// Millis adds a duration in whole milliseconds, quoted: "15ms".
func (n *Line) Millis(name string, value time.Duration) *Line {
	if n == nil {
		return nil
	}
	n.note(name)
	if n.event != nil {
		n.buf = append(strconv.AppendInt(n.buf[:0], value.Milliseconds(), 10), durationUnit...)
		n.event.Bytes(name, n.buf)
		return n
	}
	n.key(name)
	n.buf = strconv.AppendInt(append(n.buf, '"'), value.Milliseconds(), 10)
	n.buf = append(append(n.buf, durationUnit...), '"')
	return n
}

// Err adds an error's text in quotes under the name error; nil is left out.
func (n *Line) Err(err error) *Line {
	if n == nil || err == nil {
		return n
	}
	return n.Str(messages.FieldError, err.Error())
}

// Send hands the line on, and waits while the queue is full.
func (n *Line) Send() {
	if n == nil {
		return
	}
	logs := n.logger.logs
	passes := n.state.passes(n.level, n.keys)
	switch {
	case n.event != nil && passes:
		for i := range n.logger.spans {
			if s := &n.logger.spans[i]; s.visible() {
				n.event.Object(s.name, s)
			}
		}
		n.event.Send()
	case n.event != nil:
		n.event.Discard().Send()
	case passes:
		n.buf = append(n.buf, '\n')
		_, _ = logs.out.Write(n.buf) // what the output refuses is counted by the queue
	}
	n.event, n.logger, n.state = nil, nil, nil
	if cap(n.buf) <= maxKeptLine {
		logs.lines.Put(n)
	}
}
