package trace

import (
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/messages"
)

// ActorEvent makes an event of the kit visible: its line and, for an actor that failed, its metric and a trace of its own
// (actor.restart). It is what kit.Config.Log wants; WatchActors counts the rest.
func (t *Telemetry) ActorEvent(e kit.Event) {
	t.logEvent(e)
	switch e := e.(type) {
	case kit.Restarted:
		t.actorFailed(e.Role, e.PID, "restart", e.Restarts, e.Failure.Error())
	case kit.StoppedByParent:
		t.actorFailed(e.Role, e.PID, "stop", 0, e.Failure.Error())
	case kit.Resumed:
		t.actorFailed(e.Role, e.PID, "resume", 0, e.Failure.Error())
	case kit.Escalated:
		t.actorFailed(e.Role, e.PID, "escalate", 0, e.Failure.Error())
	case kit.GaveUp:
		t.actorFailed(e.Role, e.PID, "give_up", e.Restarts, e.Failure.Error())
	case kit.PanickedWhileEnding:
		t.actorFailed(e.Role, e.PID, "end", 0, e.Reason)
	}
}

func (t *Telemetry) actorFailed(role string, pid *actor.PID, directive string, restarts int, text string) {
	t.metrics.actorFaults.With(role, directive).Add(1)
	if t.provider == nil {
		return
	}
	r := messages.Recorder{Start: time.Now()}
	t.StartRecorder(&r)
	r.BeginAt(messages.SpanActorRestart, messages.NoSpan, 0)
	name := ""
	if pid != nil {
		name = pid.Id
	}
	t.RootTrace(&r, messages.Fail(messages.ReasonInternal, text),
		messages.StringAttr(messages.AttrRole, role),
		messages.StringAttr(messages.AttrActorName, name),
		messages.StringAttr(messages.AttrDirective, directive),
		messages.IntAttr(messages.AttrRestarts, int64(restarts)))
}

// logEvent writes the event's own line.
func (t *Telemetry) logEvent(e kit.Event) {
	level, message, attrs := e.Log()
	line := t.actors.At(levelOf(level), message)
	if line == nil {
		return
	}
	for _, a := range attrs {
		switch v := a.Value.Resolve(); v.Kind() {
		case slog.KindInt64:
			line = line.Int(a.Key, v.Int64())
		case slog.KindUint64:
			line = line.Uint(a.Key, v.Uint64())
		case slog.KindBool:
			line = line.Bool(a.Key, v.Bool())
		default:
			line = line.Str(a.Key, v.String())
		}
	}
	line.Send()
}

func levelOf(l slog.Level) logs.Level {
	switch {
	case l >= slog.LevelError:
		return logs.Error
	case l >= slog.LevelWarn:
		return logs.Warn
	case l >= slog.LevelInfo:
		return logs.Info
	default:
		return logs.Debug
	}
}
