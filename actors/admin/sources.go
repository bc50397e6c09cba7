package admin

import (
	"context"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/troupe-mesh/troupe/actors/kit"
	"github.com/troupe-mesh/troupe/messages"
)

// dumpWithin is how long one store may take to answer the dump.
const dumpWithin = 5 * time.Second

// Sources are where the dump comes from. A nil function or value dumps as empty.
type Sources struct {
	Workloads    func(context.Context) ([]*messages.Workload, error)
	Services     func(context.Context) (*messages.ServicesDumped, error)
	Policies     func(context.Context) ([]*messages.Authorization, error)
	Certificates func(context.Context) ([]messages.CertificateDump, error)
	// Static reads the local state anew. A failure is logged, and dumps as empty.
	Static func() (*Static, error)
	// Config and Version are shown as their JSON form.
	Config, Version any
	// Sections are further keys, such as workloadState; they must not be those above.
	Sections map[string]func(context.Context) (any, error)
}

// Static is the local state as its file says it.
type Static struct {
	Workloads []messages.WorkloadUpdate
	Services  []messages.ServiceUpdate
	Policies  []*messages.Authorization
}

// Stores are the actors that hold the state.
type Stores struct {
	Workloads, Services, Policies, Certificates *actor.PID
}

// Ask makes Sources that ask the stores; a nil PID dumps as empty. The rest is for the caller to set.
func (s Stores) Ask(sys *kit.System) Sources {
	var sources Sources
	if s.Workloads != nil {
		sources.Workloads = func(ctx context.Context) ([]*messages.Workload, error) {
			dumped, err := ask[*messages.WorkloadsDumped](ctx, sys, s.Workloads, &messages.DumpState{})
			if err != nil {
				return nil, err
			}
			return dumped.Workloads, nil
		}
	}
	if s.Services != nil {
		sources.Services = func(ctx context.Context) (*messages.ServicesDumped, error) {
			return ask[*messages.ServicesDumped](ctx, sys, s.Services, &messages.DumpState{})
		}
	}
	if s.Policies != nil {
		sources.Policies = func(ctx context.Context) ([]*messages.Authorization, error) {
			dumped, err := ask[*messages.PoliciesDumped](ctx, sys, s.Policies, &messages.DumpState{})
			if err != nil {
				return nil, err
			}
			return dumped.Policies, nil
		}
	}
	if s.Certificates != nil {
		sources.Certificates = func(ctx context.Context) ([]messages.CertificateDump, error) {
			dumped, err := ask[*messages.CertificatesDumped](ctx, sys, s.Certificates, &messages.DumpCertificates{})
			if err != nil {
				return nil, err
			}
			return dumped.Certificates, nil
		}
	}
	return sources
}

func ask[T any](ctx context.Context, sys *kit.System, pid *actor.PID, question any) (T, error) {
	return kit.AskFor[T](ctx, sys, pid, question, dumpWithin)
}
