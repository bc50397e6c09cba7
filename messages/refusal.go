package messages

// Refused answers a question that a store can't answer: it has lost its state and holds as many questions as it may, or
// holds this one for too long. The asker fails closed.
type Refused struct {
	Answer
	// Text says which store refused, and why.
	Text string
}

// Refusal is what the flow that asked fails with.
func (r *Refused) Refusal() *Failure { return Fail(ReasonStoreTimeout, r.Text) }
