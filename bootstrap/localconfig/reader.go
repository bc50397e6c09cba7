package localconfig

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// maxVisited bounds how many nodes one file may amount to once its aliases are followed.
	maxVisited = 1_000_000
	// maxProblems bounds how many problems are listed.
	maxProblems = 100
	// maxShown bounds how much of a wrong value is shown, in bytes.
	maxShown = 80
)

// reader walks a YAML tree, collects what is wrong and goes on.
type reader struct {
	problems Problems
	visited  int
	// lines remembers where each key of a kind was defined, to refuse a second one.
	lines map[string]int
}

// item is a node with its path.
type item struct {
	node *yaml.Node
	path string
}

// reject notes a problem with a node.
func (r *reader) reject(n *yaml.Node, path, reason string) {
	switch {
	case len(r.problems) < maxProblems:
		r.problems = append(r.problems, &FieldError{Line: n.Line, Field: path, Value: shown(n), Reason: reason})
	case len(r.problems) == maxProblems:
		r.problems = append(r.problems, fmt.Errorf("there are more problems than the %d listed", maxProblems))
	}
}

// shown is a scalar as it stands in the file, quoted and shortened; empty for anything else.
func shown(n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		return ""
	}
	text := n.Value
	if len(text) > maxShown {
		text = strings.ToValidUTF8(text[:maxShown], "") + "..."
	}
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		return fmt.Sprintf("%s %q", n.Tag, text)
	}
	return fmt.Sprintf("%q", text)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// visit follows an alias and counts.
func (r *reader) visit(n *yaml.Node, path string) *yaml.Node {
	r.visited++
	for n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	if r.visited == maxVisited {
		r.reject(n, path, "the file is too large once its aliases are followed")
	}
	if r.visited >= maxVisited {
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line}
	}
	return n
}

// once refuses the second definition of a key.
func (r *reader) once(n *yaml.Node, path, kind, key string) {
	if r.lines == nil {
		r.lines = map[string]int{}
	}
	full := kind + " " + key
	if first, dup := r.lines[full]; dup {
		r.reject(n, path, fmt.Sprintf("%s %q is defined in line %d already; each needs its own", kind, key, first))
		return
	}
	r.lines[full] = n.Line
}

// presence says whether a field may be left out.
type presence uint8

const (
	optional presence = iota
	required
)

// object is a mapping under inspection. Fields that nobody asked for are unknown.
type object struct {
	r      *reader
	node   *yaml.Node
	path   string
	fields map[string]*yaml.Node
	keys   []*yaml.Node
	asked  []string
}

// object reads a mapping. What is none yields an object without fields, after a problem was noted.
func (r *reader) object(n *yaml.Node, path string) *object {
	n = r.visit(n, path)
	o := &object{r: r, node: n, path: path, fields: map[string]*yaml.Node{}}
	if n.Kind != yaml.MappingNode {
		r.reject(n, o.name(), "want a map")
		o.fields = nil
		return o
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!merge" {
			r.reject(key, o.name(), "want plain names as keys")
			continue
		}
		if _, dup := o.fields[key.Value]; dup {
			r.reject(key, o.name(), "this key is there twice")
			continue
		}
		o.fields[key.Value] = n.Content[i+1]
		o.keys = append(o.keys, key)
	}
	return o
}

func (o *object) name() string {
	if o.path == "" {
		return "file"
	}
	return o.path
}

func (o *object) at(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
}

// field is the node of a key, nil when it is not there; a missing required one is a problem.
func (o *object) field(key string, p presence) *yaml.Node {
	o.asked = append(o.asked, key)
	n := o.fields[key]
	if n == nil {
		if p == required && o.fields != nil {
			o.r.reject(o.node, o.at(key), "is missing and must be set")
		}
		return nil
	}
	return o.r.visit(n, o.at(key))
}

// nullable is an optional field, nil also when it is null.
func (o *object) nullable(key string) *yaml.Node {
	n := o.field(key, optional)
	if n != nil && isNull(n) {
		return nil
	}
	return n
}

// done refuses the keys that were not asked for.
func (o *object) done() {
	for _, key := range o.keys {
		if !slices.Contains(o.asked, key.Value) {
			o.r.reject(key, o.name(), "unknown key; known are "+strings.Join(o.asked, ", "))
		}
	}
}

// list reads a sequence.
func (o *object) list(key string, p presence) []item {
	n := o.field(key, p)
	if n == nil {
		return nil
	}
	return o.r.list(n, o.at(key))
}

func (r *reader) list(n *yaml.Node, path string) []item {
	if n.Kind != yaml.SequenceNode {
		r.reject(n, path, "want a list")
		return nil
	}
	items := make([]item, len(n.Content))
	for i, c := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		items[i] = item{r.visit(c, at), at}
	}
	return items
}

// entry is one key and value of a free mapping.
type entry struct {
	key   *yaml.Node
	value item
}

// entries reads a mapping whose keys are data.
func (o *object) entries(key string, p presence) []entry {
	n := o.field(key, p)
	if n == nil {
		return nil
	}
	return o.r.entries(n, o.at(key))
}

func (r *reader) entries(n *yaml.Node, path string) []entry {
	if n.Kind != yaml.MappingNode {
		r.reject(n, path, "want a map")
		return nil
	}
	seen := map[string]bool{}
	var all []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := r.visit(n.Content[i], path)
		if key.Kind != yaml.ScalarNode || isNull(key) {
			r.reject(key, path, "want plain texts or numbers as keys")
			continue
		}
		if seen[key.Value] {
			r.reject(key, path, "this key is there twice")
			continue
		}
		seen[key.Value] = true
		at := fmt.Sprintf("%s[%q]", path, key.Value)
		all = append(all, entry{key, item{r.visit(n.Content[i+1], at), at}})
	}
	return all
}
