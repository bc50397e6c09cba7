package mesh_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/troupe-mesh/troupe/e2e/mesh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestYAMLIsTheFileAsItIsWrittenByHand(t *testing.T) {
	config := mesh.Config{
		Workloads: []mesh.Workload{{
			UID: "c//v1/Pod/default/a", Name: "a", Namespace: "default", TrustDomain: "cluster.local", ServiceAccount: "a",
			WorkloadIPs: []string{"10.0.2.2"}, Protocol: mesh.HBONE, Services: map[string]mesh.Ports{"default/s": {80: 8080}},
			Waypoint: &mesh.Gateway{Destination: "/10.0.2.9", Port: 15008},
		}},
		Policies: []mesh.Policy{{
			Name: "p", Namespace: "default", Scope: "Namespace", Action: "Allow",
			Rules: [][][]mesh.Match{{{{Principals: []mesh.Exact{"cluster.local/ns/default/sa/a"}}}}},
		}},
	}
	const want = `workloads:
    - uid: c//v1/Pod/default/a
      name: a
      namespace: default
      trustDomain: cluster.local
      serviceAccount: a
      workloadIps:
        - 10.0.2.2
      protocol: HBONE
      services:
        default/s:
            80: 8080
      waypoint:
        destination: /10.0.2.9
        hboneMtlsPort: 15008
policies:
    - name: p
      namespace: default
      scope: Namespace
      action: Allow
      dryRun: false
      rules:
        - - - principals:
                - !Exact cluster.local/ns/default/sa/a
`
	if got := config.YAML(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
