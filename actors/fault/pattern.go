package fault

import (
	"fmt"
	"path"
	"strings"

	"github.com/asynkron/protoactor-go/actor"
)

// pattern is a glob in which * also stands for slashes.
type pattern struct {
	text  string
	glob  string
	plain bool
}

// slash stands for / in globs and names, so that path.Match gives it no meaning of its own.
const slash = "\x00"

func newPattern(text string) (pattern, error) {
	if text == "" {
		return pattern{}, fmt.Errorf("pattern %q: it names no actor", text)
	}
	p := pattern{text: text, glob: strings.ReplaceAll(text, "/", slash), plain: !strings.ContainsAny(text, `*?[\`)}
	if _, err := path.Match(p.glob, ""); err != nil {
		return pattern{}, fmt.Errorf("pattern %q: %w", text, err)
	}
	return p, nil
}

func (p pattern) matches(name string) bool {
	if p.plain {
		return p.text == name
	}
	ok, _ := path.Match(p.glob, strings.ReplaceAll(name, "/", slash))
	return ok
}

// matchesActor reports whether an actor's role or whole name matches.
func (p pattern) matchesActor(role string, pid *actor.PID) bool {
	return p.matches(role) || pid != nil && p.matches(pid.Id)
}
