// Package matrix is the fault matrix: every actor of a node, broken in every way of actors/fault, and what users see of
// it. The rows are Go ([Rows]), MATRIX.md is what they look like, and the tests prove each cell in virtual time and hold
// the two together. A role without a row fails the tests: roles are found in the source, by their constants and by
// kit.Spec, and in the nodes that run.
//
// # Adding a row
//
// A role is a constant Role or Role… of its package, and nothing else may stand in a kit.Spec. Write a [Row] into the
// rows_*.go where it belongs:
//
//	{
//		Role: dns.RoleServer, Node: Client,
//		Over: Over[messages.AnswerQuery](),
//		Cells: nil,
//	},
//
// Over is the message over which the actor is broken. Its reply is what it answers to the sender; an actor that answers
// nobody says something to somebody else instead: Saying[messages.Next](Over[messages.This](), role). Deadline is when
// whoever waits gives up, where that is not a flow's; AtStart has the fault there from the start; When makes the message
// be sent where no call does; Before changes the node, or its other actors.
//
// Then run go test ./e2e/matrix. It prints each cell as code. Read it as a user would: whose connection fails that need
// not, which reason does not say what happened, what does not heal, what is cut? If that is how it should be, it goes into
// Cells; otherwise it is the actor that is to be changed. go test ./e2e/matrix -update writes MATRIX.md.
//
// What can't be put in a bubble, because it needs a kernel, is proved elsewhere: elsewhere("actors/x.TestY", "what is
// seen") names the test, which must exist.
package matrix
