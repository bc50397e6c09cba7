package trace

import "github.com/troupe-mesh/troupe/messages"

const unknown = "unknown"

// trafficLabels are the names of the traffic metrics' labels, in order (spec/dataplane.md §11.2).
var trafficLabels = []string{
	"reporter",
	"source_workload", "source_canonical_service", "source_canonical_revision", "source_workload_namespace",
	"source_principal", "source_app", "source_version", "source_cluster",
	"destination_service", "destination_service_namespace", "destination_service_name",
	"destination_workload", "destination_canonical_service", "destination_canonical_revision",
	"destination_workload_namespace", "destination_principal", "destination_app", "destination_version",
	"destination_cluster",
	"request_protocol", "response_flags", "connection_security_policy",
	"source_region", "source_zone", "destination_region", "destination_zone",
}

// labelCount is the number of traffic labels, localities the index from which the four locality labels begin.
const (
	labelCount = 27
	localities = 23
)

// side are the labels of one end of a connection.
type side struct {
	workload, service, revision, namespace, principal, app, version, cluster, region, zone string
}

// labels is one label set of the traffic metrics. It is comparable: equal sets are the same series. The empty string
// stands for unknown.
type labels struct {
	source, destination                           side
	service, serviceNamespace, serviceName, flags string
	reporter                                      messages.Direction
	mutualTLS, located                            bool
}

// labelsOf derives the labels of a record; the order matters, what comes later wins.
func labelsOf(r *messages.Record) (l labels) {
	l.reporter, l.mutualTLS = r.Direction, r.MutualTLS
	l.flags = messages.ReasonNone.Flag()
	if d := r.DerivedSource; d != nil {
		l.source.derive(d)
		l.located = true
	}
	if w := r.Source; w != nil {
		l.source.know(w)
		l.located = true
	}
	if w := r.Destination; w != nil {
		l.destination.know(w)
		l.destination.principal = w.Identity().String()
		l.located = true
	}
	if s := r.Service; s != nil {
		l.service, l.serviceNamespace, l.serviceName = s.Hostname, s.Namespace, s.Name
	}
	if d := r.DerivedDestination; d != nil {
		l.destination = side{}
		l.destination.derive(d)
		l.located = true
	}
	return l
}

// derive takes over what a peer claims of a workload and the identity proven by TLS.
func (s *side) derive(d *messages.DerivedWorkload) {
	s.workload, s.app = d.Workload, d.Workload
	s.service = d.CanonicalName
	s.revision, s.version = d.CanonicalRevision, d.CanonicalRevision
	s.namespace, s.cluster, s.region, s.zone = d.Namespace, d.Cluster, d.Region, d.Zone
	if !d.Identity.IsZero() {
		s.principal = d.Identity.String()
	}
}

// know takes over a workload of the store; the principal stays as it is.
func (s *side) know(w *messages.Workload) {
	s.workload = w.WorkloadName
	s.service, s.app = w.CanonicalName, w.CanonicalName
	s.revision, s.version = w.CanonicalRevision, w.CanonicalRevision
	s.namespace, s.cluster = w.Namespace, w.ClusterID
	s.region, s.zone = w.Locality.Region, w.Locality.Zone
}

// values are the label values in order; without a known end the localities are left out.
func (l *labels) values(into []string) []string {
	security := unknown
	if l.mutualTLS {
		security = "mutual_tls"
	}
	s, d := &l.source, &l.destination
	into = append(into[:0],
		l.reporter.Reporter(),
		s.workload, s.service, s.revision, s.namespace, s.principal, s.app, s.version, s.cluster,
		l.service, l.serviceNamespace, l.serviceName,
		d.workload, d.service, d.revision, d.namespace, d.principal, d.app, d.version, d.cluster,
		"tcp", l.flags, security)
	if l.located {
		into = append(into, s.region, s.zone, d.region, d.zone)
	}
	for i, v := range into {
		if v == "" {
			into[i] = unknown
		}
	}
	return into
}

// overflowed is the label set that connections share once the bound of label sets is reached.
func (l *labels) overflowed() labels {
	return labels{reporter: l.reporter, mutualTLS: l.mutualTLS, flags: l.flags, located: true}
}
