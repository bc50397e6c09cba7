package proxy

import (
	"testing"
	"time"
)

func TestWorthTrimming(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		name string
		usage
		want bool
	}{
		{"nothing to be had", usage{objects: 100 * mib, live: 100 * mib}, false},
		{"too little", usage{objects: 100 * mib, live: 90 * mib, idle: 5 * mib}, false},
		{"garbage", usage{objects: 100 * mib, live: 60 * mib}, true},
		{"idle spans", usage{objects: 100 * mib, live: 100 * mib, idle: 40 * mib}, true},
		{"stacks", usage{objects: 20 * mib, live: 20 * mib, stacks: 80 * mib}, true},
		{"a small share of much", usage{objects: 1000 * mib, live: 950 * mib}, false},
		{"live is of the last collection and may be more", usage{objects: 10 * mib, live: 20 * mib}, false},
	} {
		if got := test.worthTrimming(); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestTrimmerWaitsForQuietAndPauses(t *testing.T) {
	now := usage{cycles: 5, objects: 100 << 20, live: 20 << 20}
	trims := 0
	tr := &trimmer{read: func() usage { return now }, trim: func() { trims++; now.cycles += 2 }}
	start := time.Now()
	for _, step := range []struct {
		name    string
		after   time.Duration
		collect bool
		want    int
	}{
		{"the first look only learns", 0, false, 0},
		{"a collection came in between", trimEvery, true, 0},
		{"quiet, but for how long?", 2 * trimEvery, false, 0},
		{"quiet", 3 * trimEvery, false, 1},
		{"its own collections are no news, but it pauses", 4 * trimEvery, false, 1},
		{"still", 5 * trimEvery, false, 1},
		{"quiet after the pause", 3*trimEvery + trimPause, false, 2},
	} {
		if step.collect {
			now.cycles++
		}
		tr.look(start.Add(step.after))
		if trims != step.want {
			t.Fatalf("%s: %d trims, want %d", step.name, trims, step.want)
		}
	}
}

func TestUsageIsRead(t *testing.T) {
	if u := readUsage(); u.objects == 0 || u.stacks == 0 {
		t.Errorf("read %+v", u)
	}
}
