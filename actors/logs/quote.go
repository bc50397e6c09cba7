package logs

import (
	"strconv"
	"unicode"
	"unicode/utf8"
)

// appendQuoted appends s in quotes, escaped as Rust's debug form does (spec/ops.md §7.1).
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	clean := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= 0x80 && r != utf8.RuneError && unicode.IsPrint(r) {
			i += size
			continue
		}
		b = append(b, s[clean:i]...)
		b = appendEscaped(b, r)
		i += size
		clean = i
	}
	b = append(b, s[clean:]...)
	return append(b, '"')
}

// appendBare appends s as it is, except for control characters: what a peer sent must not look like another line.
func appendBare(b []byte, s string) []byte {
	clean := 0
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == 0x7f {
			b = append(b, s[clean:i]...)
			b = appendEscaped(b, rune(c))
			clean = i + 1
		}
	}
	return append(b, s[clean:]...)
}

// appendEscaped appends a character that is not shown as it is. Invalid UTF-8 becomes the replacement character.
func appendEscaped(b []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(b, '\\', byte(r))
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	case 0:
		return append(b, '\\', '0')
	case utf8.RuneError:
		return utf8.AppendRune(b, r)
	}
	b = append(b, `\u{`...)
	b = strconv.AppendUint(b, uint64(r), 16)
	return append(b, '}')
}
