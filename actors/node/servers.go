package node

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/cni"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/actors/pods"
)

// selfName is the name of the proxy's own listener (spec/ops.md §2.6).
const selfName = pod.RolePod + "/self"

// Shared is what a node of shared mode serves its pods with. Their systems, stores and actors are filled in.
type Shared struct {
	CNI  cni.Config
	Pods pods.Config
	// Self is the proxy's own listener; nil where it does not know its own identity.
	Self *pod.Config
}

// server is a child of the root that serves connections, or has them served. Its spec is the same for all its lives: it has
// the doors, and what it was told.
type server struct {
	spec  kit.Spec
	name  string
	pid   *actor.PID
	opens bool // it waits for the first state
}

// servers are what the mode asks for, in the order of their start. The agent's connection comes last, for it may tell of
// pods at once.
func (n *Node) servers(c *Config, child func(name string) *actor.PID) []server {
	own := func(p pod.Config, name string) server {
		p.Flow.System, p.Flow.Stores, p.Returns = c.System, n.stores, &n.restarting
		return server{spec: pod.Spec(p), name: name, pid: child(name), opens: true}
	}
	if c.Shared == nil {
		dedicated := own(c.Pod, pod.RolePod+"/"+c.PodUID)
		n.pod = dedicated.pid
		return []server{dedicated}
	}
	s := *c.Shared
	s.Pods.System, s.Pods.Stores, s.Pods.Returns = c.System, n.stores, &n.restarting
	n.pods = child(pods.RolePods)
	s.CNI.System, s.CNI.Pods, s.CNI.Admin = c.System, n.pods, n.admin
	n.cni = child(cni.Role)
	all := []server{{spec: pods.Spec(s.Pods), name: pods.RolePods, pid: n.pods}}
	if s.Self != nil {
		self := own(*s.Self, selfName)
		n.self = self.pid
		all = append(all, self)
	}
	return append(all, server{spec: cni.Spec(s.CNI), name: cni.Role, pid: n.cni, opens: true})
}
