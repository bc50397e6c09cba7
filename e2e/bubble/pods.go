package bubble

import (
	"fmt"

	"github.com/troupe-mesh/troupe/actors/pod"
	"github.com/troupe-mesh/troupe/messages"
)

// AddPod lets a node serve one more workload of the world, on a host of its own as a pod has a network namespace of its own,
// and waits until its doors are open.
func (n *Node) AddPod(name string, o Options) {
	n.w.tb.Helper()
	host := n.w.Host(name)
	c := n.podConfig(o, name, host)
	c.Flow.System, c.Flow.Stores = n.System, n.Stores()
	root, err := n.System.SpawnRoot(pod.Spec(c), fmt.Sprintf("%s/%s", pod.RolePod, name))
	if err != nil {
		n.w.tb.Fatal(err)
	}
	capture(host)
	n.System.Send(root, &messages.StartAccepting{})
	n.w.Settle()
}
