package proxy

import (
	"fmt"
	"net/netip"

	"github.com/troupe-mesh/troupe/actors/logs"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// podLog writes what a pod says of its listeners, in the reference's scopes and words.
type podLog struct {
	logs     *logs.Logs
	workload messages.WorkloadInfo
}

var _ pod.Log = podLog{}

var scopes = map[messages.Entrance]string{
	messages.EntranceOutbound:  "ztunnel::proxy::outbound",
	messages.EntrancePlaintext: "ztunnel::proxy::inbound_passthrough",
	messages.EntranceHBONE:     "ztunnel::proxy::inbound",
	messages.EntranceSOCKS5:    "ztunnel::proxy::socks5",
}

func (l podLog) scope(e messages.Entrance) *logs.Logger { return l.at(scopes[e]) }

// at is a scope inside the span of the pod's proxy.
func (l podLog) at(target string) *logs.Logger {
	return l.logs.Scope(target).With("proxy", logs.Display("wl", l.workload.Namespace+"/"+l.workload.Name))
}

// ListenerEstablished tells of a bound listener.
func (l podLog) ListenerEstablished(e messages.Entrance, s socket.Listener) {
	l.logs.Scope(scopes[e]).Info("listener established").AddrPort(messages.FieldAddress, s.Addr()).
		Str(messages.FieldComponent, e.String()).Bool(messages.FieldTransparent, s.Transparent()).Send()
}

// ShutdownComplete tells that nothing of a listener is left. The reference has another word for 15006 here (spec/ops.md
// §3.5).
func (l podLog) ShutdownComplete(e messages.Entrance) {
	component := e.String()
	if e == messages.EntrancePlaintext {
		component = "inbound passthrough"
	}
	l.scope(e).Info("shutdown complete").Str(messages.FieldComponent, component).Send()
}

// AcceptFailed tells of a connection that could not be accepted.
func (l podLog) AcceptFailed(e messages.Entrance, err error) {
	l.scope(e).Error("Failed TCP handshake " + err.Error()).Send()
}

// DrainExpired tells that connections had to be cut.
func (l podLog) DrainExpired(cut int) {
	l.at("ztunnel::drain").Warn("drain duration expired with pending connections, forcefully shutting down").
		Uint(messages.FieldConnections, uint64(cut)).Send()
}

// PolicyClosed tells that a live connection is closed because of a policy change, and by which policy, where one denies it.
func (l podLog) PolicyClosed(c *messages.Connection, uid string, v *messages.Verdict) {
	identity := "None"
	if !c.SrcIdentity.IsZero() {
		identity = c.SrcIdentity.String()
	}
	line := l.at("ztunnel::proxy::connection_manager").Info(fmt.Sprintf(
		"connection %s(%s)->%s (%s) closed because it's no longer allowed after a policy update",
		netip.AddrPortFrom(c.SrcIP, c.SrcPort), identity, c.Dst, uid))
	if v.Policy != nil {
		line = line.Str(messages.FieldPolicy, v.Policy.String())
	}
	line.Str(messages.FieldReason, v.Text).Send()
}
