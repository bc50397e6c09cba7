package messages

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// CanonicalHost is the form in which host names are compared: lower case, labels beyond ASCII as punycode, no final dot.
// It is empty for what can't be a host name: the empty name, text that is not UTF-8, labels that punycode can't write.
func CanonicalHost(name string) string {
	name = strings.TrimSuffix(name, ".")
	plain := true
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c >= utf8.RuneSelf:
			return canonicalUnicode(name)
		case 'A' <= c && c <= 'Z':
			plain = false
		}
	}
	if plain {
		return name
	}
	return strings.ToLower(name)
}

func canonicalUnicode(name string) string {
	if !utf8.ValidString(name) {
		return ""
	}
	ascii, err := idna.Punycode.ToASCII(strings.ToLower(name))
	if err != nil {
		return ""
	}
	return strings.ToLower(ascii)
}
