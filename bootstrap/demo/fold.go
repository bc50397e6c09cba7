package demo

import (
	"strings"
	"unicode/utf8"
)

// width is how many characters of a line are shown before it is folded.
const width = 120

// fold breaks a log line before fields, so that no part is longer than width where that can be; further parts begin with
// indent.
func fold(line, indent string) string {
	var folded strings.Builder
	column := 0
	for i, word := range fields(line) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			folded.WriteString("\n" + indent)
			column = 0
		default:
			folded.WriteByte(' ')
			column++
		}
		folded.WriteString(word)
		column += n
	}
	return folded.String()
}

// fields splits a line at the spaces outside of quotes.
func fields(line string) []string {
	var all []string
	quoted, start := false, 0
	for i := range len(line) {
		switch {
		case line[i] == '"' && (i == 0 || line[i-1] != '\\'):
			quoted = !quoted
		case line[i] == ' ' && !quoted:
			all = append(all, line[start:i])
			start = i + 1
		}
	}
	return append(all, line[start:])
}
