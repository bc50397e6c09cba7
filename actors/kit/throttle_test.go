package kit

import (
	"fmt"
	"testing"
)

func TestThrottleSpeaksOnceASecond(t *testing.T) {
	var th throttle
	var got []uint64
	for _, now := range []int64{1, 2, 3, quiet, quiet + 1, quiet + 2, 3 * quiet} {
		got = append(got, th.pass(now))
	}
	if want := "[1 0 0 0 4 0 2]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
