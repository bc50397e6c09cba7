package oracle

// Draw is one of the values that chance, or an order that nobody promises, may give.
type Draw[T any] struct {
	Value T
	// P is how probable it is. Loose draws have none: whoever implements the lookup may give any of them, always.
	P     float64
	Loose bool
}

func surely[T any](v T) []Draw[T] { return []Draw[T]{{Value: v, P: 1}} }

// then draws again for each draw, as two independent throws do.
func then[A, B any](first []Draw[A], next func(A) []Draw[B]) []Draw[B] {
	var all []Draw[B]
	for _, a := range first {
		for _, b := range next(a.Value) {
			all = append(all, Draw[B]{Value: b.Value, P: a.P * b.P, Loose: a.Loose || b.Loose})
		}
	}
	return all
}

// evenly gives each of the values the same chance.
func evenly[T any](values []T) []Draw[T] {
	all := make([]Draw[T], 0, len(values))
	for _, v := range values {
		all = append(all, Draw[T]{Value: v, P: 1 / float64(len(values))})
	}
	return all
}

// anyOf gives each of the values, which one nobody promises.
func anyOf[T any](values []T) []Draw[T] {
	all := evenly(values)
	for i := range all {
		all[i].Loose = len(values) > 1
	}
	return all
}
