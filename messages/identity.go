package messages

import (
	"fmt"
	"strings"
)

// DefaultTrustDomain is what an empty trust domain in a workload means (spec/dataplane.md §2.3).
const DefaultTrustDomain = "cluster.local"

const spiffePrefix = "spiffe://"

// Identity is a SPIFFE id of the form spiffe://<trust domain>/ns/<namespace>/sa/<service account>
// (spec/control.md §5.1). Its parts may be empty. It is comparable.
type Identity struct {
	TrustDomain, Namespace, ServiceAccount string
}

// ParseIdentity reads a SPIFFE id. It refuses everything but exactly five segments with the literals ns and sa.
func ParseIdentity(s string) (Identity, error) {
	rest, ok := strings.CutPrefix(s, spiffePrefix)
	if !ok {
		return Identity{}, fmt.Errorf("identity %q: want prefix %q", s, spiffePrefix)
	}
	p := strings.Split(rest, "/")
	if len(p) != 5 || p[1] != "ns" || p[3] != "sa" {
		return Identity{}, fmt.Errorf("identity %q: want spiffe://<trust domain>/ns/<namespace>/sa/<service account>", s)
	}
	return Identity{TrustDomain: p[0], Namespace: p[2], ServiceAccount: p[4]}, nil
}

// String is the SPIFFE id.
func (i Identity) String() string { return spiffePrefix + i.Principal() }

// Principal is the SPIFFE id without its scheme: what policies compare principals with (spec/dataplane.md §7.2).
func (i Identity) Principal() string {
	return i.TrustDomain + "/ns/" + i.Namespace + "/sa/" + i.ServiceAccount
}

// IsZero reports whether i is no identity at all.
func (i Identity) IsZero() bool { return i == Identity{} }

// WorkloadInfo ties a pod to its workload: what the CNI agent, or PROXY_WORKLOAD_INFO, knows of it.
type WorkloadInfo struct {
	Name, Namespace, ServiceAccount string
}

// ParseWorkloadInfo reads "namespace/name/serviceaccount", split at the first two slashes (spec/ops.md §1.3).
func ParseWorkloadInfo(s string) (WorkloadInfo, error) {
	p := strings.SplitN(s, "/", 3)
	if len(p) != 3 {
		return WorkloadInfo{}, fmt.Errorf("workload info %q: want namespace/name/serviceaccount", s)
	}
	return WorkloadInfo{Namespace: p[0], Name: p[1], ServiceAccount: p[2]}, nil
}

// String is "serviceaccount.namespace (name)", the form of the reference's error texts.
func (w WorkloadInfo) String() string {
	return w.ServiceAccount + "." + w.Namespace + " (" + w.Name + ")"
}

// Matches reports whether w describes workload l.
func (w WorkloadInfo) Matches(l *Workload) bool {
	return w.Name == l.Name && w.Namespace == l.Namespace && w.ServiceAccount == l.ServiceAccount
}
