// Package kit is the one way to spawn an actor in Troupe. It gives every actor the same mailbox, the same
// supervision and the same life, and is where faults are injected and deliveries are ordered in tests.
//
// An actor is declared by a [Spec]: its role, how it is made, how many messages may wait for it, on which goroutines
// it runs, and what happens to its children when they fail. [System.Props] turns a Spec into Props, and
// [System.SpawnRoot], [Spawn] and [SpawnNamed] spawn it.
//
// What the kit promises:
//   - The mailbox is the only way in. One actor handles one message at a time; messages of one sender arrive in the
//     order in which they were sent; system messages go first. A message beyond the capacity is refused at once:
//     nobody spins and nobody waits.
//   - A message that nobody takes (refused, sent to an actor that has stopped, left behind by one that stops, or in
//     the hands of a handler that panicked) is undelivered: its Undeliver method is called, so that what it carried
//     is closed, and whoever asked it hears [Undelivered].
//   - Stopping ends: from the moment an actor is told to stop it gets no user message and never comes back, and a
//     panic while it stops is reported and does not keep it alive.
//   - A panic never leaves the actor: it is reported with its stack and handed to the parent's [Supervision].
//   - Whatever an actor started through the kit ([Go], [After], [Asks]) ends with it, and [System.Shutdown] waits for it.
//   - Nothing is silent: each of these is an [Event] and a counter in [System.Stats].
//
// Nothing here blocks, except [Ask] and [System.Shutdown], which are for code outside actors.
package kit
