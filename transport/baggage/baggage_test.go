package baggage

import (
	"errors"
	"strings"
	"testing"
)

var full = Baggage{
	ClusterName: "cluster", Namespace: "default", WorkloadType: "deployment", WorkloadName: "workload",
	CanonicalName: "service", Revision: "v1", Region: "r1", Zone: "z1",
}

const fullValue = "k8s.cluster.name=cluster,k8s.namespace.name=default,k8s.deployment.name=workload," +
	"service.name=service,service.version=v1,cloud.region=r1,cloud.availability_zone=z1"

func TestParse(t *testing.T) {
	five := Baggage{
		ClusterName: "K1", Namespace: "NS1", WorkloadType: "deployment", WorkloadName: "N1", CanonicalName: "N2", Revision: "V1",
	}
	tests := []struct {
		name  string
		lines []string
		want  Baggage
		fails bool
	}{
		// The reference's rows.
		{name: "baggage_parser", lines: []string{
			"k8s.cluster.name=K1,k8s.namespace.name=NS1,k8s.deployment.name=N1,service.name=N2,service.version=V1",
		}, want: five},
		{name: "baggage_parser_empty_values", lines: []string{
			"k8s.cluster.name=,k8s.namespace.name=,k8s.deployment.name=,service.name=,service.version=",
		}},
		{name: "baggage_parser_multiline", lines: []string{
			"k8s.cluster.name=K1", "k8s.namespace.name=NS1", "k8s.deployment.name=N1", "service.name=N2", "service.version=V1",
		}, want: five},
		{name: "baggage_parser_no_header"},
		// What follows from its rules.
		{name: "all", lines: []string{fullValue}, want: full},
		{name: "cronjob", lines: []string{"k8s.cronjob.name=c"}, want: Baggage{WorkloadType: "cronjob", WorkloadName: "c"}},
		{name: "pod", lines: []string{"k8s.pod.name=p"}, want: Baggage{WorkloadType: "pod", WorkloadName: "p"}},
		{name: "job", lines: []string{"k8s.job.name=j"}, want: Baggage{WorkloadType: "job", WorkloadName: "j"}},
		{name: "other types are unknown", lines: []string{"k8s.daemonset.name=d"}},
		{name: "the last one counts", lines: []string{"service.name=a,service.name=b", "service.name=c"}, want: Baggage{CanonicalName: "c"}},
		{name: "an empty one too", lines: []string{"service.name=a,service.name="}},
		{name: "the last workload counts", lines: []string{"k8s.pod.name=p,k8s.job.name=j"}, want: Baggage{WorkloadType: "job", WorkloadName: "j"}},
		{name: "no trimming", lines: []string{"service.name= a , service.version=v"}, want: Baggage{CanonicalName: " a "}},
		{name: "no decoding", lines: []string{"service.name=%41"}, want: Baggage{CanonicalName: "%41"}},
		{name: "what follows a second equals sign is lost", lines: []string{"service.name=a=b"}, want: Baggage{CanonicalName: "a"}},
		{name: "members without an equals sign", lines: []string{"service.name,,x"}},
		{name: "not ASCII", lines: []string{"service.name=a", "service.version=é"}, fails: true},
		{name: "a control character", lines: []string{"service.name=a\x00"}, fails: true},
		{name: "a tab", lines: []string{"service.name=a\tb"}, want: Baggage{CanonicalName: "a\tb"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Parse(tt.lines...)
			if got != tt.want || ok == tt.fails {
				t.Errorf("parsed %+v, %v", got, ok)
			}
		})
	}
}

func TestValue(t *testing.T) {
	tests := []struct {
		name string
		b    Baggage
		want string
	}{
		{"baggage_header_val_can_be_parsed, empty", Baggage{}, ""},
		{
			"baggage_header_val_can_be_parsed",
			Baggage{
				ClusterName: "cluster", Namespace: "default", WorkloadType: "deployment", WorkloadName: "workload", CanonicalName: "service",
			},
			"k8s.cluster.name=cluster,k8s.namespace.name=default,k8s.deployment.name=workload,service.name=service",
		},
		{"all", full, fullValue},
		{"only the zone", Baggage{Zone: "z"}, "cloud.availability_zone=z"},
		{"a pod", Baggage{WorkloadType: "pod", WorkloadName: "p"}, "k8s.pod.name=p"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.b.Value()
			if got != tt.want || err != nil {
				t.Errorf("written as %q, %v", got, err)
			}
			if back, ok := Parse(got); back != tt.b || !ok {
				t.Errorf("comes back as %+v, %v", back, ok)
			}
		})
	}
}

func TestValueRefusesWhatIsIllegalInAHeader(t *testing.T) {
	for _, b := range []Baggage{
		{CanonicalName: "a\r\nauthorization: x"},
		{ClusterName: "a\x7f"},
		{WorkloadType: "po\nd", WorkloadName: "p"},
	} {
		v, err := b.Value()
		var illegal *IllegalValueError
		if v != "" || !errors.As(err, &illegal) {
			t.Errorf("%+v is written as %q, %v", b, v, err)
		}
	}
	if v, err := (Baggage{CanonicalName: "naïve"}).Value(); v != "service.name=naïve" || err != nil {
		t.Errorf("other than ASCII is written as %q, %v", v, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(fullValue, "")
	f.Add("k8s.pod.name=", "service.name=a=b")
	f.Fuzz(func(t *testing.T, first, second string) {
		b, ok := Parse(first, second)
		if !ok {
			if !b.IsZero() {
				t.Errorf("a failure says %+v", b)
			}
			return
		}
		v, err := b.Value()
		if err != nil {
			t.Fatalf("%+v can't be written: %v", b, err)
		}
		if again, ok := Parse(v); again != b || !ok {
			t.Errorf("%+v comes back as %+v", b, again)
		}
	})
}

func FuzzValue(f *testing.F) {
	f.Add("cluster", "deployment", "workload")
	f.Add("a\nb", "pod", "x,y")
	f.Fuzz(func(t *testing.T, cluster, kind, name string) {
		v, err := (Baggage{ClusterName: cluster, WorkloadType: kind, WorkloadName: name}).Value()
		if err == nil && strings.ContainsAny(v, "\r\n\x00") {
			t.Errorf("%q would break out of its header", v)
		}
	})
}
