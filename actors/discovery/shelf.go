package discovery

import (
	"cmp"
	"slices"
)

// shelf keeps things by key, and knows in which order they came: stores decide ties by it.
type shelf[K comparable, V any] struct {
	things map[K]kept[V]
	came   uint64
}

type kept[V any] struct {
	thing V
	came  uint64
}

func newShelf[K comparable, V any]() shelf[K, V] { return shelf[K, V]{things: map[K]kept[V]{}} }

// put adds or replaces a thing, which is then the last to have come.
func (s *shelf[K, V]) put(key K, thing V) {
	s.came++
	s.things[key] = kept[V]{thing, s.came}
}

func (s *shelf[K, V]) drop(key K) { delete(s.things, key) }

func (s *shelf[K, V]) has(key K) bool {
	_, ok := s.things[key]
	return ok
}

// all is everything in the order in which it came.
func (s *shelf[K, V]) all() []V {
	sorted := make([]kept[V], 0, len(s.things))
	for _, k := range s.things {
		sorted = append(sorted, k)
	}
	slices.SortFunc(sorted, func(a, b kept[V]) int { return cmp.Compare(a.came, b.came) })
	things := make([]V, len(sorted))
	for i := range sorted {
		things[i] = sorted[i].thing
	}
	return things
}
