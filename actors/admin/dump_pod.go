package admin

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// SectionPods is the key of the pods in the dump, in shared mode only.
const SectionPods = "workloadState"

// Pods makes that section (spec/ops.md §5.4): it asks the pods actor for all pods, and each of their proxies for its
// connections. A proxy that has no answer, because it is being replaced, is shown without connections.
func Pods(sys *kit.System, pods *actor.PID) func(context.Context) (any, error) {
	return func(ctx context.Context) (any, error) {
		listed, err := ask[*messages.PodsListed](ctx, sys, pods, &messages.ListPods{})
		if err != nil {
			return nil, err
		}
		section := object{}
		for i := range listed.Pods {
			p := &listed.Pods[i]
			dumped := dumpPod(p)
			if p.Proxy != "" {
				at := actor.NewPID(pods.Address, p.Proxy)
				if open, err := ask[*messages.ConnectionsDumped](ctx, sys, at, &messages.DumpConnections{}); err == nil {
					dumped["connections"] = dumpConnections(open.Connections)
				}
			}
			section[p.UID] = dumped
		}
		return section, nil
	}
}

// dumpPod is a pod without its connections. The reference does not say why one is pending; we do.
func dumpPod(p *messages.PodStatus) object {
	o := object{
		"state": p.State.String(),
		"info":  object{"name": p.Info.Name, "namespace": p.Info.Namespace, "serviceAccount": p.Info.ServiceAccount},
	}
	if p.Err != nil {
		o["error"] = p.Err.Error()
	}
	return o
}

func dumpConnections(all []messages.RegisterConnection) object {
	inbound, outbound := []object{}, []object{}
	for i := range all {
		if c := &all[i]; c.Direction == messages.Inbound {
			inbound = append(inbound, dumpInbound(c))
		} else {
			outbound = append(outbound, object{
				"src": text(c.Src), "originalDst": text(c.OriginalDst), "actualDst": text(c.ActualDst), "protocol": c.Protocol,
			})
		}
	}
	return object{"inbound": inbound, "outbound": outbound}
}

// dumpInbound shows the service that the client called as the original destination, where it was told.
func dumpInbound(c *messages.RegisterConnection) object {
	o := object{"src": text(c.Src), "originalDst": nil, "actualDst": text(c.ActualDst), "protocol": c.Protocol}
	if c.OriginalHost != "" {
		o["originalDst"] = c.OriginalHost
	}
	return o
}

// text is an address, or nothing for one that is not known yet.
func text(a netip.AddrPort) any {
	if !a.IsValid() {
		return nil
	}
	return fmt.Sprint(a)
}
