package admin

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/troupe-mesh/troupe/actors/logs"
)

// tasks is the set that readiness waits for.
type tasks struct {
	pending map[string]struct{}
	start   time.Time
	log     *logs.Logger
}

func newTasks(names []string, start time.Time, log *logs.Logger) *tasks {
	t := &tasks{pending: make(map[string]struct{}, len(names)), start: start, log: log}
	for _, name := range names {
		t.await(name)
	}
	return t
}

func (t *tasks) await(name string) { t.pending[name] = struct{}{} }

// complete takes a task out and says what is left.
func (t *tasks) complete(name string) {
	if _, ok := t.pending[name]; !ok {
		return
	}
	delete(t.pending, name)
	after := seconds(time.Since(t.start))
	if left := len(t.pending); left > 0 {
		t.log.Info(fmt.Sprintf("Task '%s' complete (%s), still awaiting %d tasks", name, after, left)).Send()
		return
	}
	t.log.Info(fmt.Sprintf("Task '%s' complete (%s), marking server ready", name, after)).Send()
}

func (t *tasks) names() []string { return slices.Sorted(maps.Keys(t.pending)) }

// seconds is a duration as the reference writes it: like Go's, but in seconds however long it is.
func seconds(d time.Duration) string {
	if d < time.Second {
		return d.String()
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}
