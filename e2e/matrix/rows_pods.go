package matrix

import (
	"github.com/troupe-mesh/troupe/actors/cni"
	"github.com/troupe-mesh/troupe/actors/pods"
	"github.com/troupe-mesh/troupe/messages"
)

// podsRows are those who serve a node's pods as the CNI agent tells. They need an agent, which no bubble of this package has.
func podsRows() []Row {
	const test = "actors/cni.TestBrokenOverPods"
	all := func(says string) cells { return everywhere(test, says) }
	return []Row{
		{
			Role: cni.Role, Node: Client, Over: Over[messages.PodStarted](),
			Cells: all("the agent is refused, or dialled again, within its patience; pods that are served are served on; in the end the right ones are"),
		},
		{
			Role: pods.RolePods, Node: Client, Over: Over[messages.StartPod](),
			Cells: all("the agent is refused within its patience, and the pod is tried again; what is served is served on, but that a crash cuts its connections"),
		},
	}
}
