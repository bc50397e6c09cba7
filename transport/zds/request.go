package zds

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/socket"
	wire "github.com/troupe-mesh/troupe/transport/wire/zds"
)

// Request is one of *Add, *Keep, *Delete and *SnapshotSent.
type Request interface{ request() }

// Add asks to serve a pod. It owns Namespace.
type Add struct {
	UID string
	// Info is nil where the agent sent none.
	Info *messages.WorkloadInfo
	// Namespace is nil where what came could not even be looked at; Err says why.
	Namespace messages.PodNamespace
	Err       error
}

// Keep says that a pod is still there.
type Keep struct{ UID string }

// Delete asks to serve a pod no longer.
type Delete struct{ UID string }

// SnapshotSent says that all pods of the node were told since the hello.
type SnapshotSent struct{}

func (*Add) request()          {}
func (*Keep) request()         {}
func (*Delete) request()       {}
func (*SnapshotSent) request() {}

// Discard closes what a request carries.
func Discard(r Request) {
	if add, ok := r.(*Add); ok && add.Namespace != nil {
		_ = add.Namespace.Close()
	}
}

// What is wrong with a packet. After any of them the connection is of no use: nobody knows what the agent meant.
var (
	errTruncated  = errors.New("received truncated message")
	errNoPayload  = errors.New("no payload")
	errNoControl  = errors.New("No control message")         //nolint:staticcheck // the reference's words
	errUnexpected = errors.New("Unexpected control message") //nolint:staticcheck // the reference's words
)

// decode reads a packet. It owns the descriptors.
func decode(data []byte, fds []int, truncated bool) (Request, error) {
	handedOn := false
	defer func() {
		if !handedOn {
			closeAll(fds)
		}
	}()
	if len(fds) > 1 {
		return nil, fmt.Errorf("Expected 1 FD, got %d", len(fds)) //nolint:staticcheck // the reference's words
	}
	if truncated {
		return nil, errTruncated
	}
	var packet wire.WorkloadRequest
	if err := proto.Unmarshal(data, &packet); err != nil {
		return nil, fmt.Errorf("decode the request: %w", err)
	}
	if add := packet.GetAdd(); add != nil {
		if len(fds) == 0 {
			return nil, errNoControl
		}
		handedOn = true
		return newAdd(add, fds[0]), nil
	}
	request := plain(&packet)
	switch {
	case request == nil:
		return nil, errNoPayload
	case len(fds) > 0:
		return nil, errUnexpected
	}
	return request, nil
}

func newAdd(add *wire.AddWorkload, fd int) *Add {
	a := &Add{UID: add.GetUid()}
	if info := add.GetWorkloadInfo(); info != nil {
		a.Info = &messages.WorkloadInfo{
			Name: info.GetName(), Namespace: info.GetNamespace(), ServiceAccount: info.GetServiceAccount(),
		}
	}
	ns, err := socket.NewNamespace(fd)
	if err != nil {
		a.Err = err
		return a
	}
	a.Namespace = ns
	return a
}

// plain is a request that carries no descriptor; nil if the packet has none that is known.
func plain(packet *wire.WorkloadRequest) Request {
	switch p := packet.GetPayload().(type) {
	case *wire.WorkloadRequest_Keep:
		return &Keep{UID: p.Keep.GetUid()}
	case *wire.WorkloadRequest_Del:
		return &Delete{UID: p.Del.GetUid()}
	case *wire.WorkloadRequest_SnapshotSent:
		return &SnapshotSent{}
	}
	return nil
}

// descriptors finds the descriptors in control data. Other control messages, and what is cut off, are passed over: the
// kernel tells truncation by a flag.
func descriptors(control []byte) []int {
	var fds []int
	for len(control) >= unix.CmsgLen(0) {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return fds
		}
		if header.Level == unix.SOL_SOCKET && header.Type == unix.SCM_RIGHTS {
			message := unix.SocketControlMessage{Header: header, Data: data}
			if found, err := unix.ParseUnixRights(&message); err == nil {
				fds = append(fds, found...)
			}
		}
		control = rest
	}
	return fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
