// Package admin serves the node's three HTTP endpoints and keeps the set of tasks that readiness waits for
// (spec/ops.md §2.3, §5): the admin page on 15000, metrics on 15020 and readiness on 15021.
//
// [Bind] opens an endpoint's listeners, so that a port that is taken stops the start. The admin actor, declared by
// [Spec], gets them with [Serve] and owns them from then on: it serves them, counts tasks in and out, and ends them when
// it is told to Drain (answered with Drained) or stops. After a crash it keeps the tasks and opens the listeners anew.
// [Handler] is the admin page, [StatsHandler] the metrics; the readiness page is the actor's own.
//
// Handlers reach the rest of the node through the functions of [Sources] and [Controls] only. A request never blocks
// another, every answer has a deadline, and the number of connections is bounded.
package admin
