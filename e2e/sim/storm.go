package sim

import "time"

// calming is how long after the end of a call its last bytes may still be under way.
const calming = 10 * time.Second

// storm is a time in which the network between two hosts misbehaved.
type storm struct {
	x, y        string
	begun, over time.Time
}

func (s storm) between(a, b string) bool { return s.x == a && s.y == b || s.x == b && s.y == a }

// storm notes that the network between two hosts misbehaves from now on, for a while.
func (l *life) storm(x, y string, long time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.storms = append(l.storms, storm{x, y, time.Now(), time.Now().Add(long)})
}
