package localconfig

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// text reads a string; numbers and such must be quoted to be one.
func (r *reader) text(i item) string {
	switch {
	case i.node.Kind != yaml.ScalarNode || isNull(i.node):
		r.reject(i.node, i.path, "want a text")
	case i.node.ShortTag() != "!!str":
		r.reject(i.node, i.path, fmt.Sprintf("want a text; write %q", i.node.Value))
	default:
		return i.node.Value
	}
	return ""
}

func (o *object) text(key string, p presence) string {
	n := o.field(key, p)
	if n == nil {
		return ""
	}
	return o.r.text(item{n, o.at(key)})
}

// textOr is an optional text for which empty means a default.
func (o *object) textOr(key, empty string) string {
	if v := o.text(key, optional); v != "" {
		return v
	}
	return empty
}

func (o *object) texts(key string, p presence) []string {
	var all []string
	for _, i := range o.list(key, p) {
		all = append(all, o.r.text(i))
	}
	return all
}

func (o *object) boolean(key string, p presence) bool {
	n := o.field(key, p)
	if n == nil {
		return false
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!bool" {
		return strings.EqualFold(n.Value, "true")
	}
	o.r.reject(n, o.at(key), "want true or false")
	return false
}

// number reads a whole number of up to bits bits. Text with digits counts too: that is how JSON writes keys.
func (r *reader) number(n *yaml.Node, path string, bits int) uint64 {
	if n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!int" || n.ShortTag() == "!!str") {
		if v, err := strconv.ParseUint(n.Value, 10, bits); err == nil {
			return v
		}
	}
	r.reject(n, path, fmt.Sprintf("want a whole number from 0 to %d", ^uint64(0)>>(64-bits)))
	return 0
}

func (o *object) port(key string, p presence) uint16 {
	n := o.field(key, p)
	if n == nil {
		return 0
	}
	return uint16(o.r.number(n, o.at(key), 16))
}

func (o *object) number32(key string, p presence, absent uint32) uint32 {
	n := o.field(key, p)
	if n == nil {
		return absent
	}
	return uint32(o.r.number(n, o.at(key), 32))
}

// named is a type whose values have names: those of its String method.
type named interface {
	~uint8
	fmt.Stringer
}

// choose reads one of a few names.
func choose[T named](r *reader, i item, values ...T) T {
	names := make([]string, len(values))
	for at, v := range values {
		if i.node.Kind == yaml.ScalarNode && i.node.Value == v.String() && !isNull(i.node) {
			return v
		}
		names[at] = v.String()
	}
	r.reject(i.node, i.path, "want "+strings.Join(names, " or "))
	return values[0]
}

// choice reads a field with one of a few names; the first is the default.
func choice[T named](o *object, key string, p presence, values ...T) T {
	n := o.field(key, p)
	if n == nil {
		return values[0]
	}
	return choose(o.r, item{n, o.at(key)}, values...)
}

func (r *reader) address(i item) netip.Addr {
	text := r.text(i)
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		if text != "" {
			r.reject(i.node, i.path, "want an IP address such as 10.0.0.1 or fd00::1")
		}
		return netip.Addr{}
	}
	return a.Unmap()
}

func (r *reader) prefix(i item) netip.Prefix {
	text := r.text(i)
	p, err := netip.ParsePrefix(text)
	if err != nil && text != "" {
		r.reject(i.node, i.path, "want an IP range with its length, such as 10.0.0.0/8 or 10.0.0.1/32")
	}
	return p
}
