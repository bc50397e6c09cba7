package config

import (
	"encoding/json"
	"strings"
)

// Header is one gRPC metadata entry for a control-plane call. Key is lower case.
type Header struct {
	Key, Value string
}

// MarshalJSON is the dump's pair [key, value] with the value hidden: it is often a secret (spec/control.md §7).
func (h Header) MarshalJSON() ([]byte, error) {
	return json.Marshal([2]string{h.Key, hidden})
}

// headers collects the variables with a prefix: XDS_HEADER_foo=bar is the metadata foo: bar. Values are not repeated in
// problems, since they may be secrets.
func (e *environment) headers(prefix string) []Header {
	all := []Header{}
	for _, name := range e.names(prefix) {
		key, value := strings.ToLower(name[len(prefix):]), e.vars[name]
		switch {
		case !isHeaderKey(key):
			e.problems = append(e.problems, &VarError{Name: name, Value: "...", Reason: "failed to parse header key: " + key +
				"; after " + prefix + " write letters, digits, - _ or . not ending in -bin"})
		case !isHeaderValue(value):
			e.problems = append(e.problems, &VarError{Name: name, Value: "...", Reason: "failed to parse header value; " +
				"write visible ASCII characters and spaces only"})
		default:
			all = append(all, Header{Key: key, Value: value})
		}
	}
	return all
}

func isHeaderKey(key string) bool {
	const legal = "abcdefghijklmnopqrstuvwxyz0123456789-_."
	return key != "" && strings.Trim(key, legal) == "" && !strings.HasSuffix(key, "-bin")
}

func isHeaderValue(value string) bool {
	for i := range len(value) {
		if value[i] < 0x20 || value[i] > 0x7e {
			return false
		}
	}
	return true
}
