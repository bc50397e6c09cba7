package baggage

import (
	"fmt"
	"strings"
)

// Header is the header's name.
const Header = "baggage"

// The keys but for the workload's, which has its type inside.
const (
	keyCluster   = "k8s.cluster.name"
	keyNamespace = "k8s.namespace.name"
	keyCanonical = "service.name"
	keyRevision  = "service.version"
	keyRegion    = "cloud.region"
	keyZone      = "cloud.availability_zone"
)

// workloadTypes maps the keys of workload names to workload types.
var workloadTypes = map[string]string{
	"k8s.deployment.name": "deployment",
	"k8s.cronjob.name":    "cronjob",
	"k8s.pod.name":        "pod",
	"k8s.job.name":        "job",
}

// Baggage is what the header says. Empty fields are absent from it.
type Baggage struct {
	ClusterName string
	Namespace   string
	// WorkloadType is deployment, cronjob, pod or job. It says nothing without a WorkloadName.
	WorkloadType string
	WorkloadName string
	// CanonicalName is the service's canonical name, Revision its canonical revision.
	CanonicalName string
	Revision      string
	Region        string
	Zone          string
}

// IsZero says whether the header says nothing.
func (b Baggage) IsZero() bool { return b == Baggage{} }

// IllegalValueError says that a value can't stand in a header.
type IllegalValueError struct{ Key, Value string }

func (e *IllegalValueError) Error() string {
	return fmt.Sprintf("baggage %s: value %q has a character that is illegal in a header", e.Key, e.Value)
}

// Value is the header's value; it may be empty, and is sent all the same. Values are written as they are: one with
// a control character is an *IllegalValueError, one with a comma or an equals sign is read differently at the
// other end.
func (b Baggage) Value() (string, error) {
	fields := [...]struct{ key, value string }{
		{keyCluster, b.ClusterName},
		{keyNamespace, b.Namespace},
		{"k8s." + b.WorkloadType + ".name", b.WorkloadName},
		{keyCanonical, b.CanonicalName},
		{keyRevision, b.Revision},
		{keyRegion, b.Region},
		{keyZone, b.Zone},
	}
	var v strings.Builder
	for _, f := range fields {
		if f.value == "" {
			continue
		}
		if !legal(f.key) || !legal(f.value) {
			return "", &IllegalValueError{Key: f.key, Value: f.value}
		}
		if v.Len() > 0 {
			v.WriteByte(',')
		}
		v.WriteString(f.key)
		v.WriteByte('=')
		v.WriteString(f.value)
	}
	return v.String(), nil
}

// legal says whether s may stand in a header: no control characters but tab.
func legal(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// Parse reads all header lines of a message, in order; of a key that comes again the last value counts, an empty
// one too. It is false, and says nothing, if any line has bytes other than visible ASCII, blank and tab.
func Parse(lines ...string) (Baggage, bool) {
	var b Baggage
	for _, line := range lines {
		if !visible(line) {
			return Baggage{}, false
		}
		for part := range strings.SplitSeq(line, ",") {
			key, value, ok := strings.Cut(part, "=")
			if !ok {
				continue
			}
			value, _, _ = strings.Cut(value, "=") // what follows a second one is lost
			b.set(key, value)
		}
	}
	return b, true
}

func (b *Baggage) set(key, value string) {
	switch key {
	case keyCluster:
		b.ClusterName = value
	case keyNamespace:
		b.Namespace = value
	case keyCanonical:
		b.CanonicalName = value
	case keyRevision:
		b.Revision = value
	case keyRegion:
		b.Region = value
	case keyZone:
		b.Zone = value
	default:
		if kind, ok := workloadTypes[key]; ok {
			b.WorkloadName, b.WorkloadType = value, kind
			if value == "" {
				b.WorkloadType = ""
			}
		}
	}
}

func visible(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < ' ' || c > '~') && c != '\t' {
			return false
		}
	}
	return true
}
