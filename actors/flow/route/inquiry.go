package route

import "github.com/troupe-mesh/troupe/messages"

// kind is the type of an answer.
type kind uint8

const (
	kindNone kind = iota
	kindWorkloads
	kindWorkload
	kindUpstream
	kindDestination
	kindGatewayOf
	kindService
	kindInbound
	kindName
	kindDemand
	kindRefused
)

func kindOf(answer any) kind {
	switch answer.(type) {
	case *messages.WorkloadsFound:
		return kindWorkloads
	case *messages.WorkloadFound:
		return kindWorkload
	case *messages.UpstreamFound:
		return kindUpstream
	case *messages.DestinationFound:
		return kindDestination
	case *messages.GatewayOfFound:
		return kindGatewayOf
	case *messages.ServiceFound:
		return kindService
	case *messages.InboundFound:
		return kindInbound
	case *messages.NameResolved:
		return kindName
	case *messages.ResourceDemanded:
		return kindDemand
	case *messages.Refused:
		return kindRefused
	}
	return kindNone
}

// inquiry is what both trees know of asking: which answer is awaited, and what to do with it.
type inquiry struct {
	id     uint64
	await  kind
	answer any
	then   func() Step
}

// Learn takes an answer. It returns false for one that is not the answer awaited, such as one that came too late; the
// driver then goes on waiting.
func (q *inquiry) Learn(answer any) bool {
	k := kindOf(answer)
	if q.await == kindNone || (k != q.await && k != kindRefused) {
		return false
	}
	if a, ok := answer.(interface{ AnswerID() uint64 }); !ok || a.AnswerID() != q.id {
		return false
	}
	q.await, q.answer = kindNone, answer
	return true
}

// proceed runs what was to be done with the answer.
func (q *inquiry) proceed() Step {
	if r, refused := q.answer.(*messages.Refused); refused {
		return Step{Deny: r.Refusal()}
	}
	return q.then()
}

// question is the next question's header.
func (q *inquiry) question() messages.Question {
	q.id++
	return messages.Question{ID: q.id}
}

// ask ends a step with a question whose answer goes to then.
func (q *inquiry) ask(store Store, question any, await kind, then func() Step) Step {
	q.await, q.then = await, then
	return Step{Store: store, Ask: question}
}

func (q *inquiry) findAddresses(first, second messages.NetworkAddress, then func() Step) Step {
	return q.ask(Workloads, &messages.FindAddress{
		Question:  q.question(),
		Addresses: [2]messages.NetworkAddress{first, second},
	}, kindWorkloads, then)
}

func (q *inquiry) findHostname(name messages.NamespacedHostname, then func() Step) Step {
	return q.ask(Workloads, &messages.FindHostname{Question: q.question(), Name: name}, kindWorkload, then)
}

// found is the answer to findAddresses; foundNamed that to findHostname.
func (q *inquiry) found() [2]*messages.Workload { return q.answer.(*messages.WorkloadsFound).Workloads }

func (q *inquiry) foundNamed() *messages.Workload { return q.answer.(*messages.WorkloadFound).Workload }
