package pod

// roll is the connections of a registry in the order in which reviews come to them. Whatever a review does to the whole of
// it takes no longer for more connections.
type roll struct {
	first, last *registered
	count       int
	// next is whose turn it is; nil stands for the first.
	next *registered
	// review numbers the reviews; due counts those that the latest has not judged.
	review uint64
	due    int
}

// enter adds a connection, which no review under way has to judge.
func (l *roll) enter(r *registered) {
	r.judged = l.review
	l.insert(r, nil)
	l.count++
}

// leave takes a connection out.
func (l *roll) leave(r *registered) {
	if r.judged != l.review {
		l.due--
	}
	l.unlink(r)
	l.count--
}

// reviewAll makes all of them due. Those that an earlier review has not come to have their turn first.
func (l *roll) reviewAll() {
	l.review++
	l.due = l.count
}

// reviewOne makes one due, and its turn is next.
func (l *roll) reviewOne(r *registered) {
	if r.judged == l.review {
		r.judged = l.review - 1
		l.due++
	}
	before := l.next
	if before == r {
		return
	}
	l.unlink(r)
	l.insert(r, before)
	l.next = r
}

// take is whose turn it is, at most so many that are due. They stay due until they are judged.
func (l *roll) take(limit int) []*registered {
	taken := make([]*registered, 0, min(limit, l.due))
	for steps := l.count; steps > 0 && len(taken) < cap(taken); steps-- {
		r := l.next
		if r == nil {
			r = l.first
		}
		l.next = r.after
		if r.judged != l.review {
			taken = append(taken, r)
		}
	}
	return taken
}

// judged tells that a connection, which must not have left, was judged by a review; for a newer one it stays due.
func (l *roll) judged(r *registered, review uint64) {
	if review == l.review && r.judged != review {
		r.judged = review
		l.due--
	}
}

// insert links r in front of another, or at the end.
func (l *roll) insert(r, before *registered) {
	r.after = before
	if before == nil {
		r.before, l.last = l.last, r
	} else {
		r.before, before.before = before.before, r
	}
	if r.before == nil {
		l.first = r
	} else {
		r.before.after = r
	}
}

func (l *roll) unlink(r *registered) {
	if l.next == r {
		l.next = r.after
	}
	if r.before == nil {
		l.first = r.after
	} else {
		r.before.after = r.after
	}
	if r.after == nil {
		l.last = r.before
	} else {
		r.after.before = r.before
	}
	r.before, r.after = nil, nil
}
