package trace

import (
	"strconv"
	"sync"
	"testing"
)

func TestALabelledFamilyIsBounded(t *testing.T) {
	v := newCounterVec("x", "X (unstable).", "role", "kind")
	for i := range 3 * maxChildren {
		v.With(strconv.Itoa(i), "k").Add(1)
	}
	all := v.snapshot()
	if len(all) != maxChildren+1 {
		t.Fatalf("%d members, want %d and one that the rest share", len(all), maxChildren)
	}
	rest := all[maxChildren]
	if rest.values[0] != overflow || rest.value.Value() != 2*maxChildren {
		t.Errorf("the shared member %v counts %d, want %d", rest.values, rest.value.Value(), 2*maxChildren)
	}
}

func TestLabelSetsAreToldApartByWhereTheirValuesEnd(t *testing.T) {
	v := newCounterVec("x", "X (unstable).", "a", "b")
	if v.With("ab", "c") == v.With("a", "bc") {
		t.Error("two label sets share one member")
	}
	first := v.With("ab", "c")
	if again := v.With("ab", "c"); again != first {
		t.Error("one label set has two members")
	}
}

func TestMembersMayBeMadeFromManyGoroutines(t *testing.T) {
	v := newCounterVec("x", "X (unstable).", "a")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 100 {
				v.With(strconv.Itoa(i)).Add(1)
			}
		})
	}
	wg.Wait()
	for _, c := range v.snapshot() {
		if c.value.Value() != 8 {
			t.Errorf("%v counts %d, want 8", c.values, c.value.Value())
		}
	}
}
