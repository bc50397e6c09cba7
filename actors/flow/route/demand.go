package route

import "github.com/troupe-mesh/troupe/messages"

// demands are the names that a tree has had looked up on demand: none is looked up twice for one connection.
type demands [maxDemands]string

// maxDemands is more than a tree ever needs: the destination on two networks and one waypoint.
const maxDemands = 4

// have reports whether name was looked up, or whether too many were.
func (d *demands) have(name string) bool {
	for _, known := range d {
		if known == name {
			return true
		}
	}
	return d[maxDemands-1] != ""
}

// look asks discovery for name. Then the stores are asked again, by again, if they have it now; otherwise without goes on.
func (d *demands) look(q *inquiry, name string, again, without func() Step) Step {
	for i := range d {
		if d[i] == "" {
			d[i] = name
			break
		}
	}
	return q.ask(Discovery, &messages.DemandResource{Question: q.question(), Name: name}, kindDemand, func() Step {
		if q.answer.(*messages.ResourceDemanded).Outcome == messages.DemandArrived {
			return again()
		}
		return without()
	})
}
