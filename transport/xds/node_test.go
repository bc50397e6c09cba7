package xds

import (
	"encoding/json"
	"testing"
)

func TestNode(t *testing.T) {
	name := "node-1"
	n, err := Node(NodeConfig{
		PodName: "ztunnel-x", PodNamespace: "istio-system", InstanceIP: "10.0.0.1", NodeName: &name,
		Metadata: map[string]string{"CLUSTER_ID": "here", "NAME": "other"},
		JSON:     map[string]json.RawMessage{"CLUSTER_ID": json.RawMessage(`"there"`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "ztunnel~10.0.0.1~ztunnel-x.istio-system~istio-system.svc.cluster.local"; n.Id != want {
		t.Errorf("id %q, want %q", n.Id, want)
	}
	for key, want := range map[string]string{
		"NAME": "other", "NAMESPACE": "istio-system", "INSTANCE_IPS": "10.0.0.1", "NODE_NAME": "node-1", "CLUSTER_ID": "there",
	} {
		if got := n.Metadata.Fields[key].GetStringValue(); got != want {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	n, err = Node(NodeConfig{InstanceIP: "1.1.1.1"})
	if err != nil || n.Id != "ztunnel~1.1.1.1~.~.svc.cluster.local" || n.Metadata.Fields["NODE_NAME"] != nil {
		t.Errorf("of nothing: %v, %v", n, err)
	}
}

// The reference's test_json_to_value: every form of JSON becomes the Value of that form.
func TestJSONToValue(t *testing.T) {
	n, err := Node(NodeConfig{JSON: map[string]json.RawMessage{
		"ALL": json.RawMessage(`{"object":{"a":1.5},"array":["x",2],"bool":true,"number":3,"null":null}`),
	}})
	if err != nil {
		t.Fatal(err)
	}
	all := n.Metadata.Fields["ALL"].GetStructValue().AsMap()
	got, err := json.Marshal(all)
	if want := `{"array":["x",2],"bool":true,"null":null,"number":3,"object":{"a":1.5}}`; err != nil || string(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
	if _, err := Node(NodeConfig{JSON: map[string]json.RawMessage{"BAD": json.RawMessage(`{`)}}); err == nil {
		t.Error("broken JSON was taken")
	}
}
