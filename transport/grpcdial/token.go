package grpcdial

import (
	"errors"
	"fmt"
	"strings"
)

// Token authenticates calls: the content of a file, which is read for each, or a fixed one. The zero value is none.
type Token struct {
	File   string
	Static string
}

// maxToken bounds a token, in bytes: servers limit the size of headers too.
const maxToken = 64 << 10

var errNotAToken = errors.New("it holds no token: a token is visible ASCII characters in one line")

// IsZero reports whether calls are not authenticated at all.
func (t Token) IsZero() bool { return t == Token{} }

// Read is the token now, without the white space around it. The error names the file and never the token.
func (t Token) Read() (string, error) {
	token, from := t.Static, "the configured token"
	if t.File != "" {
		text, err := readBounded(t.File, maxToken)
		if err != nil {
			return "", fmt.Errorf("read the token: %w", err)
		}
		token, from = string(text), "the token file "+t.File
	}
	token = strings.TrimSpace(token)
	if token == "" || len(token) > maxToken || strings.ContainsFunc(token, invisible) {
		return "", fmt.Errorf("%s: %w", from, errNotAToken)
	}
	return token, nil
}

func invisible(r rune) bool { return r <= ' ' || r > '~' }
