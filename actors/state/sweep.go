package state

// sweep is a full delivery that is coming in: what has not come again when it ends is to be forgotten. Until then
// everything stays as it was, for a policy or an endpoint that is only about to come again must not be missed meanwhile.
type sweep[K comparable] struct {
	doomed map[K]struct{}
}

// begin dooms every key of what there is.
func begin[K comparable, V any](s *sweep[K], all map[K]V) {
	s.doomed = make(map[K]struct{}, len(all))
	for key := range all {
		s.doomed[key] = struct{}{}
	}
}

// spare notes that key has come again.
func (s *sweep[K]) spare(key K) { delete(s.doomed, key) }

// end is what has not come again.
func (s *sweep[K]) end() []K {
	if s.doomed == nil {
		return nil
	}
	left := make([]K, 0, len(s.doomed))
	for key := range s.doomed {
		left = append(left, key)
	}
	s.doomed = nil
	return left
}
