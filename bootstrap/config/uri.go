package config

import (
	"errors"
	"net/url"
	"strings"
)

var errURI = errors.New("invalid uri; write https://host:port or host:port")

// normaliseURI checks a control-plane address and puts https:// in front of one without a scheme. The empty string
// stays empty: off (spec/ops.md §1.3).
func normaliseURI(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	if !strings.Contains(s, "://") {
		s = "https://" + s
	}
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Hostname() == "", u.User != nil:
		return "", errURI
	case u.Scheme != "https" && u.Scheme != "http":
		return "", errURI
	case u.Port() != "":
		if _, err := parseUnsigned(u.Port(), 16); err != nil {
			return "", errURI
		}
	}
	return s, nil
}
