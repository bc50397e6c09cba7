// Package fault breaks a node on purpose, one message or one actor at a time, so that a test can show what users see
// when it happens. It works on any message type sent to any actor of a [kit.System], in real time and inside
// testing/synctest alike.
//
//	faults := fault.New()
//	system := kit.NewSystem(kit.Config{Faults: faults})
//	...
//	fault.On[messages.FindUpstream](faults, "services").Once().Drop()
//
// # Which messages
//
// [On] names a message type, as a value or as a pointer, or an interface that messages implement (any: all of them), and
// an actor by a pattern that its role or its whole name must match: "services", "node/pod/*". A * stands for any
// characters, slashes included, ? for one, [a-z] for a range, and \ takes the meaning from what follows. What belongs to
// the kit and to the actor library itself (starting and stopping, deadlines of questions, undelivered messages) can't be
// hurt. [Selector.From] and [Selector.Where] narrow it down; [Selector.Once], [Selector.Nth], [Selector.Next] and
// [Selector.Chance] select some, otherwise all suffer.
//
// # What happens to them
//
//	on the way
//	  Drop          it never arrives, and its sender is not told; what it carried is closed
//	  Delay         it arrives later; those behind it overtake it
//	  Duplicate     it arrives twice, the second time as a shallow copy
//	  Reorder       the next message that the rule is about overtakes it
//	  Hold          it arrives when the rule is released
//	  LoseReply     it arrives, but the first reply to it does not
//	in the handler
//	  Panic         the actor panics instead of handling it
//	  CrashLoop     the same, and after each restart the actor panics again, until the rule is released
//	  Slow          the actor handles it later, and nothing else meanwhile
//
// Rules are tried in the order in which they were made. A message suffers at most one fault on its way and one in the
// handler; rules behind the one that acted do not see it, and do not count it. Faults of both kinds may come together.
//
// A slow actor keeps its goroutine waiting, as slow code would. An actor that runs on its caller's goroutine, as the
// stores do, thereby holds up the actor whose message it handles, and all that share that one's goroutine: the flow
// whose question came first. Other flows go on, and find their questions waiting in the slow actor's mailbox. Nothing
// deadlocks, since only time is waited for; but a test that sends to such an actor is itself the caller, and waits.
//
// # What can be seen
//
// Each [Rule] counts; [Rule.Await] waits until it has struck. [Report] tells everything that was injected, for
// assertions and as text. [Watch] gives a [Probe] that waits until a message reaches its handler, and [WatchLife] one
// that waits for failures, restarts and deaths. The trace of the connection that asked for, or should have got, the
// message has an event "fault" at that time, in the span of the stage it was in or in tunnel.close.
//
// # Cost and bounds
//
// Without rules and probes a message takes the same way as without the kit, but for one look whether there are any. The
// lists are bounded: see [MaxRules], [MaxWaiting], [MaxInjections] and [MaxSeen]; what goes beyond is counted in the
// report. Use that makes no sense panics where the rule is made, and says which value was wrong.
//
// Make Faults inside the bubble when the test runs in one. Rules and probes may be made and released at any time, by any
// goroutine but an actor's that is handling a message.
package fault
