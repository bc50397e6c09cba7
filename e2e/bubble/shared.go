package bubble

import (
	"context"

	"github.com/troupe-mesh/troupe/actors/cni"
	"github.com/troupe-mesh/troupe/actors/node"
	"github.com/troupe-mesh/troupe/actors/pods"
	"github.com/troupe-mesh/troupe/actors/trace"
	"github.com/troupe-mesh/troupe/messages"
	"github.com/troupe-mesh/troupe/transport/memnet"
	"github.com/troupe-mesh/troupe/transport/socket"
)

// StartShared starts a node in shared mode, which serves the pods that its agent tells of: the workloads of the world of
// these names, each on its host as a pod is in its network namespace. It waits until they are served. Dial and Echo are of
// the first.
func (w *World) StartShared(o Options, podNames ...string) *Node {
	w.tb.Helper()
	agent := newAgent(w)
	for _, name := range podNames {
		agent.Add(name)
	}
	n := w.start(podNames[0], o, agent)
	if !o.Bare {
		for _, name := range podNames[1:] {
			capture(w.Host(name))
		}
	}
	return n
}

// capture has a host's traffic redirected to the proxy of its workload, whether there is one or not.
func capture(h *memnet.Host) {
	h.Redirect(memnet.Redirection{Outbound: portOutbound, Inbound: portPlaintext, Exempt: []uint16{portHBONE}})
}

// shared is how the node serves the pods of its agent.
func (n *Node) shared(o Options) *node.Shared {
	jitter := chance(o, drawsAgent)
	if jitter == nil {
		jitter = func() float64 { return 0.5 }
	}
	return &node.Shared{
		CNI: cni.Config{
			Dial: n.Agent.dial, At: "the agent", Log: n.logs, Counters: &cni.Counters{},
			Broken: func(err error) { n.w.tb.Errorf("node %s: %v", n.name, err) }, Chance: jitter,
		},
		Pods: pods.Config{
			Log: n.logs, Counters: &pods.Counters{}, Added: func(a trace.PodAdded) { n.telemetry.PodAdded(a) },
			Open: func(_ context.Context, _ string, _ messages.PodNamespace, info messages.WorkloadInfo) (*pods.Opened, error) {
				c, err := n.makePod(o, info.Name, n.w.hosts[info.Name], socket.ListenOptions{ReusePort: true})
				if err != nil {
					return nil, err
				}
				return &pods.Opened{Pod: c}, nil
			},
		},
	}
}
