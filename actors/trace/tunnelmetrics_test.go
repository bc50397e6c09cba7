package trace

import (
	"reflect"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/troupe-mesh/troupe/transport/hbone"
)

// A counter that the endpoints gain must get a name here.
func TestEveryCounterOfTheTunnelsIsShown(t *testing.T) {
	n := newNode(t, nodeOptions{off: true})
	var stats hbone.Stats
	fields := reflect.ValueOf(&stats).Elem()
	for i := range fields.NumField() {
		fields.Field(i).Addr().Interface().(*atomic.Uint64).Store(uint64(1000 + i))
	}
	n.WatchTunnels(&stats)
	got := n.exposition(t)
	for i := range fields.NumField() {
		if want := "} " + strconv.Itoa(1000+i) + "\n"; !strings.Contains(got, want) {
			t.Errorf("counter %s is not shown", fields.Type().Field(i).Name)
		}
	}
}
