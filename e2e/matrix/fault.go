package matrix

// Fault is a column of the matrix: what is done to an actor.
type Fault uint8

// The faults.
const (
	PanicOnce Fault = iota // it panics over the message, once
	CrashLoop              // it panics over the message, and again each time that it is made anew, for Looping
	Drop                   // the message never arrives, once
	Delay                  // the message arrives after whoever waits for what follows has given up, once
	Duplicate              // the message arrives twice, each time
	LoseReply              // the message arrives, and what the actor says to it does not, once
	faults
)

// Faults are all of them, in the order of the columns.
func Faults() []Fault {
	all := make([]Fault, 0, faults)
	for f := range faults {
		all = append(all, f)
	}
	return all
}

// String is the column's head.
func (f Fault) String() string {
	return [...]string{
		"panic once", "crash-loop", "drop a message", "delay beyond the deadline", "duplicate", "lose the reply",
	}[f]
}
