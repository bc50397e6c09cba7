package kit

import (
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/messages"
)

// Event is something that went wrong or was decided about an actor. Its type says what.
type Event interface {
	// Log says the event as one line: how grave it is, what happened, and the fields.
	Log() (slog.Level, string, []slog.Attr)
}

// Restarted says that an actor failed and is made anew after Delay.
type Restarted struct {
	Role    string
	PID     *actor.PID
	Failure *Failure
	// Restarts counts the failures within the window, this one included.
	Restarts int
	Delay    time.Duration
}

// Log says the event as one line.
func (e Restarted) Log() (slog.Level, string, []slog.Attr) {
	return slog.LevelError, "actor restarts", append(failed(e.Role, e.PID, e.Failure),
		slog.Int(messages.FieldRestarts, e.Restarts), slog.Duration("delay", e.Delay))
}

// StoppedByParent says that an actor failed and its parent ends it.
type StoppedByParent struct {
	Role    string
	PID     *actor.PID
	Failure *Failure
}

// Log says the event as one line.
func (e StoppedByParent) Log() (slog.Level, string, []slog.Attr) {
	return slog.LevelError, "actor failed and is stopped", failed(e.Role, e.PID, e.Failure)
}

// Resumed says that an actor failed and goes on with the next message.
type Resumed struct {
	Role    string
	PID     *actor.PID
	Failure *Failure
}

// Log says the event as one line.
func (e Resumed) Log() (slog.Level, string, []slog.Attr) {
	return slog.LevelWarn, "actor failed and goes on", failed(e.Role, e.PID, e.Failure)
}

// Escalated says that an actor failed and its parent fails with it.
type Escalated struct {
	Role        string
	PID, Parent *actor.PID
	Failure     *Failure
}

// Log says the event as one line.
func (e Escalated) Log() (slog.Level, string, []slog.Attr) {
	return slog.LevelError, "actor failed and its parent with it", append(failed(e.Role, e.PID, e.Failure),
		slog.String("parent", name(e.Parent)))
}

// GaveUp says that an actor failed too often: it is stopped, or its parent fails when Escalates.
type GaveUp struct {
	Role    string
	PID     *actor.PID
	Failure *Failure
	// Restarts is how many there were within Window.
	Restarts  int
	Window    time.Duration
	Root      bool
	Escalates bool
}

// Log says the event as one line.
func (e GaveUp) Log() (slog.Level, string, []slog.Attr) {
	return slog.LevelError, "actor failed too often and is given up", append(failed(e.Role, e.PID, e.Failure),
		slog.Int(messages.FieldRestarts, e.Restarts), slog.Duration("window", e.Window), slog.Bool("root", e.Root))
}

// PanickedWhileEnding says that an actor panicked while it stopped or restarted, which it does all the same.
type PanickedWhileEnding struct {
	Role            string
	PID             *actor.PID
	Message, Reason string
	Stack           string
}

// Log says the event as one line.
func (e PanickedWhileEnding) Log() (slog.Level, string, []slog.Attr) {
	return slog.LevelError, "actor panicked while it ended", append(about(e.Role, e.PID, e.Message, 0),
		slog.String(messages.FieldError, e.Reason), slog.String(messages.FieldStack, e.Stack))
}

// PanickedInUndeliver says that the Undeliver method of a message panicked.
type PanickedInUndeliver struct {
	Message, Reason string
	Stack           string
}

// Log says the event as one line.
func (e PanickedInUndeliver) Log() (slog.Level, string, []slog.Attr) {
	return slog.LevelError, "message panicked when it was undelivered", []slog.Attr{
		slog.String("message", e.Message), slog.String(messages.FieldError, e.Reason), slog.String(messages.FieldStack, e.Stack),
	}
}

// Refused says that a full mailbox took Count messages not in, since the last such event of the role.
type Refused struct {
	Role     string
	PID      *actor.PID
	Message  string
	Capacity int
	Count    uint64
}

// Log says the event as one line.
func (e Refused) Log() (slog.Level, string, []slog.Attr) {
	return slog.LevelWarn, "mailbox is full", append(about(e.Role, e.PID, e.Message, e.Count), slog.Int("capacity", e.Capacity))
}

// LeftBehind says that actors of a role stopped with Count messages unhandled, since the last such event.
type LeftBehind struct {
	Role    string
	PID     *actor.PID
	Message string
	Count   uint64
}

// Log says the event as one line.
func (e LeftBehind) Log() (slog.Level, string, []slog.Attr) {
	return slog.LevelDebug, "actor stopped before it handled a message", about(e.Role, e.PID, e.Message, e.Count)
}

// DeadLetter says that Count messages were sent to actors that do not exist, since the last such event.
type DeadLetter struct {
	PID     *actor.PID
	Message string
	Count   uint64
}

// Log says the event as one line.
func (e DeadLetter) Log() (slog.Level, string, []slog.Attr) {
	return slog.LevelDebug, "message to an actor that does not exist", about("", e.PID, e.Message, e.Count)
}

// UnknownMessage says that actors of a role were sent Count messages for which they have no case.
type UnknownMessage struct {
	Role    string
	PID     *actor.PID
	Message string
	Count   uint64
}

// Log says the event as one line.
func (e UnknownMessage) Log() (slog.Level, string, []slog.Attr) {
	return slog.LevelWarn, "actor does not know a message", about(e.Role, e.PID, e.Message, e.Count)
}

func about(role string, pid *actor.PID, message string, count uint64) []slog.Attr {
	attrs := []slog.Attr{
		slog.String("role", role), slog.String(messages.FieldActor, name(pid)), slog.String("message", message),
	}
	if count > 0 {
		attrs = append(attrs, slog.Uint64("count", count))
	}
	return attrs
}

func failed(role string, pid *actor.PID, f *Failure) []slog.Attr {
	return append(about(role, pid, f.Message, 0),
		slog.String(messages.FieldError, f.reason()), slog.String(messages.FieldStack, f.Stack))
}
