package localconfig

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

const (
	workloadHead = "workloads:\n- namespace: n\n  workloadIps: []\n  services: {}\n"
	serviceHead  = "services:\n- name: a\n  namespace: n\n  hostname: h\n  vips: []\n  ports: {}\n"
	policyHead   = "policies:\n- name: a\n  namespace: n\n  scope: Global\n  action: Allow\n  dryRun: false\n"
)

func TestProblems(t *testing.T) {
	match := func(s string) string { return policyHead + "  rules: [[[" + s + "]]]" }
	tests := []struct {
		text  string
		line  int
		field string
		says  string
	}{
		{"workload: []", 1, "file", `"workload": unknown key; known are workloads, services, policies`},
		{"[]", 1, "file", "want a map"},
		{"workloads: {}", 1, "workloads", "want a list"},
		{"workloads: ~", 1, "workloads", "want a list"},
		{"workloads: [1]", 1, "workloads[0]", `"1": want a map`},
		{"workloads:\n- workloadIps: []\n  services: {}", 2, "workloads[0].namespace", "is missing"},
		{"workloads:\n- namespace: a\n  services: {}", 2, "workloads[0].workloadIps", "is missing"},
		{"workloads:\n- namespace: a\n  workloadIps: []", 2, "workloads[0].services", "is missing"},
		{workloadHead + "  nmae: x", 5, "workloads[0]", `"nmae": unknown key; known are uid, name`},
		{workloadHead + "  name: 5", 5, "workloads[0].name", `want a text; write "5"`},
		{workloadHead + "  name: ~", 5, "workloads[0].name", "want a text"},
		{workloadHead + "  name: [x]", 5, "workloads[0].name", "want a text"},
		{workloadHead + "  protocol: hbone", 5, "workloads[0].protocol", `"hbone": want TCP or HBONE`},
		{workloadHead + "  networkMode: x", 5, "workloads[0].networkMode", "want Standard or HostNetwork"},
		{workloadHead + "  status: healthy", 5, "workloads[0].status", "want Healthy or Unhealthy"},
		{workloadHead + "  capacity: -1", 5, "workloads[0].capacity", "from 0 to 4294967295"},
		{workloadHead + "  capacity: 1.5", 5, "workloads[0].capacity", "from 0 to 4294967295"},
		{workloadHead + "  nativeTunnel: yes", 5, "workloads[0].nativeTunnel", "want true or false"},
		{workloadHead + "  waypoint: {destination: a/b}", 5, "workloads[0].waypoint.hboneMtlsPort", "is missing"},
		{workloadHead + "  waypoint: {hboneMtlsPort: 1}", 5, "workloads[0].waypoint.destination", "is missing"},
		{workloadHead + "  waypoint: {destination: b, hboneMtlsPort: 1}", 5, "workloads[0].waypoint.destination", "network/ip or namespace/hostname"},
		{workloadHead + "  waypoint: {destination: a/b, hboneMtlsPort: 70000}", 5, "workloads[0].waypoint.hboneMtlsPort", "from 0 to 65535"},
		{workloadHead + "  locality: {region: a, zone: b}", 5, "workloads[0].locality.subzone", "is missing"},
		{workloadHead + "  applicationTunnel: {protocol: HTTP}", 5, "workloads[0].applicationTunnel.protocol", "want NONE or PROXY"},
		{workloadHead + "  authorizationPolicies: [1]", 5, "workloads[0].authorizationPolicies[0]", "want a text"},
		{workloadHead + "  name: a\n  name: b", 6, "workloads[0]", "there twice"},
		{workloadHead + "  <<: {name: b}", 5, "workloads[0]", "plain names"},
		{"workloads:\n- {namespace: a, services: {}, workloadIps: [1.2.3]}", 2, "workloads[0].workloadIps[0]", `"1.2.3": want an IP address`},
		{"workloads:\n- {namespace: a, services: {}, workloadIps: ['fe80::1%lo']}", 2, "workloads[0].workloadIps[0]", "want an IP address"},
		{"workloads:\n- {namespace: a, services: {x: {80: 80}}, workloadIps: []}", 2, `workloads[0].services["x"]`, "namespace/hostname"},
		{"workloads:\n- {namespace: a, services: {a/x: {http: 80}}, workloadIps: []}", 2, `workloads[0].services["a/x"]["http"]`, `"http": want a whole number`},
		{"workloads:\n- {namespace: a, services: {a/x: [80]}, workloadIps: []}", 2, `workloads[0].services["a/x"]`, "want a map"},
		{"workloads:\n- {namespace: a, services: {a/x: {}, a/x: {}}, workloadIps: []}", 2, "workloads[0].services", "there twice"},
		{
			"workloads:\n- {namespace: a, services: {}, workloadIps: [], uid: x}\n- {namespace: a, services: {}, workloadIps: [], uid: x}",
			3, "workloads[1].uid", `workload uid "x" is defined in line 2 already`,
		},
		{serviceHead + "  vip: []", 7, "services[0]", "unknown key"},
		{"services:\n- {name: a, namespace: n, hostname: h, vips: [10.0.0.1], ports: {}}", 2, "services[0].vips[0]", `"10.0.0.1": want network/ip`},
		{serviceHead + "  cidrVips: [{network: '', cidr: 10.0.0.1}]", 7, "services[0].cidrVips[0].cidr", "10.0.0.0/8"},
		{serviceHead + "  loadBalancer: {mode: Strict, routingPreferences: []}", 7, "services[0].loadBalancer.healthPolicy", "is missing"},
		{serviceHead + "  loadBalancer: {mode: X, routingPreferences: [], healthPolicy: AllowAll}", 7, "services[0].loadBalancer.mode", "Passthrough"},
		{serviceHead + "  loadBalancer: {mode: Strict, routingPreferences: [Here], healthPolicy: AllowAll}", 7, "services[0].loadBalancer.routingPreferences[0]", "want Region or Zone"},
		{serviceHead + "  ipFamilies: v4", 7, "services[0].ipFamilies", "want Dual or IPv4 or IPv6"},
		{serviceHead + "  visibility: x", 7, "services[0].visibility", "want Public or Namespace"},
		{serviceHead + "  endpoints: {w: {port: {}, status: Healthy}}", 7, `services[0].endpoints["w"].workloadUid`, "is missing"},
		{serviceHead + "  weightedWaypoints: [{weight: 1}]", 7, "services[0].weightedWaypoints[0].destination", "is missing"},
		{policyHead, 2, "policies[0].rules", "is missing"},
		{policyHead + "  rules: [{}]", 7, "policies[0].rules[0]", "want a list"},
		{policyHead + "  rules: [[{}]]", 7, "policies[0].rules[0][0]", "want a list"},
		{match("{principal: [!Exact a]}"), 7, "policies[0].rules[0][0][0]", `"principal": unknown key; known are namespaces`},
		{match("{principals: [a]}"), 7, "policies[0].rules[0][0][0].principals[0]", `"a": want !Exact text`},
		{match("{principals: [!Regex a]}"), 7, "policies[0].rules[0][0][0].principals[0]", `!Regex "a": want !Exact text`},
		{match("{principals: [!Exact [a]]}"), 7, "policies[0].rules[0][0][0].principals[0]", "want !Exact text"},
		{match("{principals: [!Presence [a]]}"), 7, "policies[0].rules[0][0][0].principals[0]", "want !Exact text"},
		{match("{principals: [{Exact: 1}]}"), 7, "policies[0].rules[0][0][0].principals[0]", "want !Exact text"},
		{match("{principals: [{Exact: a, Prefix: b}]}"), 7, "policies[0].rules[0][0][0].principals[0]", "want !Exact text"},
		{match("{sourceIps: [10.0.0.1]}"), 7, "policies[0].rules[0][0][0].sourceIps[0]", `"10.0.0.1": want an IP range`},
		{match("{destinationPorts: [80-90]}"), 7, "policies[0].rules[0][0][0].destinationPorts[0]", "from 0 to 65535"},
		{match("{serviceAccounts: [{namespace: a}]}"), 7, "policies[0].rules[0][0][0].serviceAccounts[0].serviceAccount", "is missing"},
		{"{}\n---\n{}", 2, "document", "second document"},
	}
	for _, tt := range tests {
		f, err := Parse([]byte(tt.text))
		var problems Problems
		if !errors.As(err, &problems) || len(problems) != 1 || f != nil {
			t.Errorf("%s\ngot %v, %v; want exactly one problem and nothing of the file", tt.text, f, err)
			continue
		}
		var wrong *FieldError
		if !errors.As(err, &wrong) || wrong.Line != tt.line || wrong.Field != tt.field || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s\ngot  %v\nwant line %d: %s: ... %s", tt.text, err, tt.line, tt.field, tt.says)
		}
	}
}

func TestProblemsAllAtOnceInOrder(t *testing.T) {
	_, err := Parse([]byte("policies: [{}]\nservices: 5\nworkloads:\n- {protocol: x, zone: y,\n  locality: 5}\n"))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != 6+1+6 {
		t.Fatalf("got %d: %v", len(problems), err)
	}
	last := 0
	for _, p := range problems {
		var wrong *FieldError
		if !errors.As(p, &wrong) || wrong.Line < last {
			t.Errorf("out of order: %v", err)
		}
		last = wrong.Line
	}
}

func TestNotYAML(t *testing.T) {
	for _, text := range []string{"a: [", "a: b: c", "\x00", "{}\n---\n["} {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "not YAML") {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestBounds(t *testing.T) {
	_, err := Parse([]byte("workloads: [" + strings.Repeat("1,", 10_000) + "]"))
	var problems Problems
	if !errors.As(err, &problems) || len(problems) != maxProblems+1 {
		t.Errorf("got %d problems", len(problems))
	}
	var bomb strings.Builder
	bomb.WriteString("policies:\n- &a {name: n, rules: &r [")
	fmt.Fprintf(&bomb, "&c [%s]", strings.Repeat("&m [{}],", 1)+strings.Repeat("*m,", 200))
	bomb.WriteString(strings.Repeat(",*c", 200) + "]}\n" + strings.Repeat("- *a\n", 200))
	if _, err := Parse([]byte(bomb.String())); err == nil || !strings.Contains(err.Error(), "too large") && !strings.Contains(err.Error(), "more problems") {
		t.Errorf("a file that grows without bound: got %.200v", err)
	}
	if _, err := Parse([]byte("workloads: &a [*a]")); err == nil {
		t.Error("a list that contains itself was accepted")
	}
	long := strings.Repeat("ü", 500)
	if _, err := Parse([]byte(workloadHead + "  protocol: " + long)); err == nil || len(err.Error()) > 300 {
		t.Errorf("a long value is shown whole: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, path := range []string{"testdata/example.yaml", "testdata/full.yaml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("workloads: [{namespace: a, workloadIps: [x], services: {a/b: {1: 2}}}]"))
	f.Add([]byte(policyHead + "  rules: [[[{principals: [!Exact a, {Presence: []}]}]]]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse(text)
		if (file == nil) == (err == nil) {
			t.Fatalf("got %v and %v", file, err)
		}
		if err == nil {
			for _, w := range file.Workloads {
				if w.Workload == nil || w.Workload.TrustDomain == "" || w.Workload.ServiceAccount == "" {
					t.Fatalf("a workload without identity: %+v", w.Workload)
				}
			}
		} else if len(err.Error()) == 0 {
			t.Fatal("a problem without words")
		}
	})
}
