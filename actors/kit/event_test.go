package kit

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

func TestEventsAreOneLogLineEach(t *testing.T) {
	pid := actor.NewPID("nonhost", "pods/pod")
	f := &Failure{Role: "pod", PID: pid, Value: errBroken, Message: "*messages.Drain", Stack: "main.f (a.go:1)\n"}
	failed := " role=pod actor=pods/pod message=*messages.Drain error=broken stack=main.f (a.go:1)\n"
	tests := []struct {
		event Event
		level slog.Level
		want  string
	}{
		{Restarted{"pod", pid, f, 2, time.Second}, slog.LevelError, "actor restarts" + failed + " restarts=2 delay=1s"},
		{StoppedByParent{"pod", pid, f}, slog.LevelError, "actor failed and is stopped" + failed},
		{Resumed{"pod", pid, f}, slog.LevelWarn, "actor failed and goes on" + failed},
		{Escalated{"pod", pid, actor.NewPID("nonhost", "pods"), f}, slog.LevelError, "actor failed and its parent with it" + failed + " parent=pods"},
		{
			GaveUp{Role: "pod", PID: pid, Failure: f, Restarts: 3, Window: time.Minute, Root: true},
			slog.LevelError, "actor failed too often and is given up" + failed + " restarts=3 window=1m0s root=true",
		},
		{
			PanickedWhileEnding{"pod", pid, "*actor.Stopping", "broken", "main.f (a.go:1)\n"},
			slog.LevelError, "actor panicked while it ended role=pod actor=pods/pod message=*actor.Stopping error=broken stack=main.f (a.go:1)\n",
		},
		{
			PanickedInUndeliver{"*messages.Drain", "broken", "main.f (a.go:1)\n"},
			slog.LevelError, "message panicked when it was undelivered message=*messages.Drain error=broken stack=main.f (a.go:1)\n",
		},
		{Refused{"pod", pid, "int", 8, 5}, slog.LevelWarn, "mailbox is full role=pod actor=pods/pod message=int count=5 capacity=8"},
		{LeftBehind{"pod", pid, "int", 1}, slog.LevelDebug, "actor stopped before it handled a message role=pod actor=pods/pod message=int count=1"},
		{DeadLetter{nil, "int", 1}, slog.LevelDebug, "message to an actor that does not exist role= actor=nobody message=int count=1"},
		{UnknownMessage{"pod", pid, "int", 1}, slog.LevelWarn, "actor does not know a message role=pod actor=pods/pod message=int count=1"},
	}
	for _, tt := range tests {
		level, got, attrs := tt.event.Log()
		for _, a := range attrs {
			got += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		}
		if level != tt.level || got != tt.want {
			t.Errorf("%T: got %v %q, want %v %q", tt.event, level, got, tt.level, tt.want)
		}
	}
}
