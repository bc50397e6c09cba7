package bubble

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// text takes a node's log.
type text struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write takes whole lines.
func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.Write(p)
}

func (t *text) lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Split(strings.TrimSuffix(t.buf.String(), "\n"), "\n")
}

// Log is everything that the node has logged, without the time: level, scope, message and fields, tab-separated.
func (n *Node) Log() []string {
	n.w.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if err := n.logs.Flush(ctx); err != nil {
		n.w.tb.Fatal(err)
	}
	var all []string
	for _, line := range n.log.lines() {
		if _, rest, ok := strings.Cut(line, "\t"); ok {
			all = append(all, rest)
		}
	}
	return all
}

// Access is the node's access log so far.
func (n *Node) Access() []string {
	n.w.tb.Helper()
	return slices.DeleteFunc(n.Log(), func(line string) bool { return !strings.Contains(line, "\taccess\t") })
}

// WantAccess fails the test unless these are the lines of the access log since the start, in order. A want is compared
// with the whole line, with spaces in place of tabs.
func (n *Node) WantAccess(want ...string) {
	n.w.tb.Helper()
	n.w.Settle() // who hears the end may do so before it is logged
	got := n.Access()
	for i, line := range got {
		got[i] = strings.ReplaceAll(strings.Replace(line, "\taccess\t", "\t", 1), "\t", " ")
	}
	if !slices.Equal(got, want) {
		n.w.tb.Errorf("access log of %s:\n  %s\nwant:\n  %s", n.name, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// WantLastAccess fails the test unless the last line of the access log has all of parts.
func (n *Node) WantLastAccess(parts ...string) {
	n.w.tb.Helper()
	n.w.Settle()
	all := n.Access()
	if len(all) == 0 {
		n.w.tb.Errorf("access log of %s is empty, want a line with %q", n.name, parts)
		return
	}
	for _, part := range parts {
		if last := all[len(all)-1]; !strings.Contains(last, part) {
			n.w.tb.Errorf("access log of %s ends with\n  %s\nwant %q in it", n.name, last, part)
		}
	}
}

// podLog writes what a pod says of its listeners.
type podLog struct{ logs *logs.Logs }

var _ pod.Log = podLog{}

// ListenerEstablished tells of a bound listener.
func (l podLog) ListenerEstablished(e messages.Entrance, s socket.Listener) {
	l.logs.Scope("pod").Info("listener established").Str(messages.FieldComponent, e.String()).
		AddrPort(messages.FieldAddress, s.Addr()).Send()
}

// ShutdownComplete tells that nothing of a listener is left.
func (l podLog) ShutdownComplete(e messages.Entrance) {
	l.logs.Scope("pod").Info("shutdown complete").Str(messages.FieldComponent, e.String()).Send()
}

// AcceptFailed tells of a connection that could not be accepted.
func (l podLog) AcceptFailed(e messages.Entrance, err error) {
	l.logs.Scope("pod").Error(fmt.Sprintf("accept failed on %s: %v", e, err)).Send()
}

// DrainExpired tells that connections had to be cut.
func (l podLog) DrainExpired(cut int) {
	l.logs.Scope("pod").Warn(fmt.Sprintf("drain expired, cut %d", cut)).Send()
}

// PolicyClosed tells that a live connection is closed because of a policy change.
func (l podLog) PolicyClosed(c *messages.Connection, uid string, v *messages.Verdict) {
	l.logs.Scope("pod").Info(fmt.Sprintf("policy closed %s->%s (%s): %s", c.SrcIP, c.Dst, uid, v.Text)).Send()
}
