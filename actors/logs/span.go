package logs

import (
	"slices"
	"strings"

	"github.com/rs/zerolog"
)

// Field is one name and value of a span. The value is shown bare in text unless Quoted.
type Field struct {
	Key, Value string
	Quoted     bool
}

// Display is a field whose value is shown bare.
func Display(key, value string) Field { return Field{Key: key, Value: value} }

// Quoted is a field whose value is shown in quotes.
func Quoted(key, value string) Field { return Field{Key: key, Value: value, Quoted: true} }

// span is one surrounding of lines, with its fields encoded once.
type span struct {
	scope  *scope
	name   string
	text   string // :name{k=v}
	object []pair // sorted by key
}

type pair struct{ key, value string }

func newSpan(s *scope, name string, fields []Field) span {
	text := []byte(":" + name)
	object := make([]pair, len(fields))
	for i, f := range fields {
		text = append(text, "{ "[min(i, 1)])
		text = append(append(text, f.Key...), '=')
		if f.Quoted {
			text = appendQuoted(text, f.Value)
		} else {
			text = appendBare(text, f.Value)
		}
		object[i] = pair{f.Key, f.Value}
	}
	if len(fields) > 0 {
		text = append(text, '}')
	}
	slices.SortStableFunc(object, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	return span{scope: s, name: name, text: string(text), object: object}
}

// visible reports whether the filter in force lets the span show.
func (s *span) visible() bool { return s.scope.state.Load().level >= Info }

// MarshalZerologObject writes the span's fields.
func (s *span) MarshalZerologObject(e *zerolog.Event) {
	for _, p := range s.object {
		e.Str(p.key, p.value)
	}
}
