package bubble

import "math/rand/v2"

// What draws from a node's seed: each has a source of its own, so that one drawing more does not change the others.
const (
	drawsIDs = iota + 1
	drawsRestarts
	drawsEndpoints
	drawsRenewals
	drawsAgent
)

// source is a source of chance from the node's seed; nil without one.
func source(o Options, stream uint64) *rand.Rand {
	if o.Seed == 0 {
		return nil
	}
	return rand.New(rand.NewPCG(o.Seed, stream))
}

// chance is source for those who want numbers from 0 to 1.
func chance(o Options, stream uint64) func() float64 {
	r := source(o, stream)
	if r == nil {
		return nil
	}
	return r.Float64
}
