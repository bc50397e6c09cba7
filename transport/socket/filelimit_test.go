package socket

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestRaiseFileLimit(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &before) })
	low := unix.Rlimit{Cur: before.Max / 2, Max: before.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	for _, want := range []uint64{low.Cur, low.Max} { // the second time there is nothing to do
		from, to, err := RaiseFileLimit()
		if from != want || to != low.Max || err != nil {
			t.Errorf("raised from %d to %d, %v, want from %d to %d", from, to, err, want, low.Max)
		}
	}
	var after unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &after); err != nil || after.Cur != low.Max {
		t.Errorf("the limit is %d, %v", after.Cur, err)
	}
}
