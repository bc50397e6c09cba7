package messages

import "time"

// Stamp rides on every message that actors of a flow exchange: when it was sent, and how long it waited in the
// mailbox of whoever handled it.
type Stamp struct {
	// Sent is when the message was sent, in nanoseconds of the kit's clock; zero means not stamped.
	Sent int64
	// Waited is how long it lay in the receiver's mailbox; the kit fills it in before the message is handled.
	Waited time.Duration
}

// SentAt is when the message was sent; zero means not stamped.
func (s *Stamp) SentAt() int64 { return s.Sent }

// ObserveWait notes how long the message lay in the receiver's mailbox.
func (s *Stamp) ObserveWait(d time.Duration) { s.Waited = d }

// StampSent notes when the message was sent.
func (s *Stamp) StampSent(at int64) { s.Sent = at }

// Question rides on every question to a store. ID is chosen by the asker and returned with the answer, so that an
// answer which comes too late can be told from the one that is awaited.
type Question struct {
	Stamp
	ID uint64
}

// Number gives the question its id and notes when it was sent.
func (q *Question) Number(id uint64, sent int64) { q.ID, q.Sent = id, sent }

// QuestionID is the id that the asker chose.
func (q *Question) QuestionID() uint64 { return q.ID }

// Answer rides on every answer of a store.
type Answer struct {
	Stamp
	// ID is the question's.
	ID uint64
	// Version is the store's: it grows with every change.
	Version uint64
	// Asked is how long the question lay in the store's mailbox.
	Asked time.Duration
}

// AnswerID is the id of the question that is answered.
func (a *Answer) AnswerID() uint64 { return a.ID }

// Undeliverable is implemented by messages that carry something which must be closed when nobody takes them.
type Undeliverable interface {
	// Undeliver closes what the message carried. It is called at most once.
	Undeliver()
}
