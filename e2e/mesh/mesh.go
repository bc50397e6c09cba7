// Package mesh writes the local configuration that the end-to-end tests give to proxies: workloads, services and
// policies in the form of spec/control.md §4, as a user would write it in LOCAL_XDS. The types mirror the file and
// nothing else; what they mean is the product's business.
package mesh

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// Config is the whole file.
type Config struct {
	Workloads []Workload `yaml:"workloads,omitempty"`
	Policies  []Policy   `yaml:"policies,omitempty"`
	Services  []Service  `yaml:"services,omitempty"`
}

// YAML is the file's text.
func (c Config) YAML() string {
	text, err := yaml.Marshal(c)
	if err != nil {
		panic(fmt.Sprintf("encoding a configuration made of plain values: %v", err))
	}
	return string(text)
}

// The protocols of a workload.
const (
	TCP   = "TCP"
	HBONE = "HBONE"
)

// Ports maps service ports to target ports.
type Ports map[uint16]uint16

// Workload is one workload.
type Workload struct {
	UID               string           `yaml:"uid"`
	Name              string           `yaml:"name"`
	Namespace         string           `yaml:"namespace"`
	TrustDomain       string           `yaml:"trustDomain"`
	ServiceAccount    string           `yaml:"serviceAccount"`
	WorkloadIPs       []string         `yaml:"workloadIps"`
	WorkloadName      string           `yaml:"workloadName,omitempty"`
	WorkloadType      string           `yaml:"workloadType,omitempty"`
	CanonicalName     string           `yaml:"canonicalName,omitempty"`
	CanonicalRevision string           `yaml:"canonicalRevision,omitempty"`
	Hostname          string           `yaml:"hostname,omitempty"`
	Node              string           `yaml:"node,omitempty"`
	ClusterID         string           `yaml:"clusterId,omitempty"`
	Protocol          string           `yaml:"protocol"`
	Services          map[string]Ports `yaml:"services"`
	Network           string           `yaml:"network,omitempty"`
	Waypoint          *Gateway         `yaml:"waypoint,omitempty"`
	NetworkGateway    *Gateway         `yaml:"networkGateway,omitempty"`
	ApplicationTunnel *Tunnel          `yaml:"applicationTunnel,omitempty"`
	Policies          []string         `yaml:"authorizationPolicies,omitempty"`
}

// Gateway refers to a waypoint or a network's gateway by "network/ip" or "namespace/hostname".
type Gateway struct {
	Destination string `yaml:"destination"`
	Port        uint16 `yaml:"hboneMtlsPort"`
}

// Tunnel is an application tunnel: NONE or PROXY, and the port that it moves traffic to.
type Tunnel struct {
	Protocol string `yaml:"protocol"`
	Port     uint16 `yaml:"port,omitempty"`
}

// Service is one service.
type Service struct {
	Name            string   `yaml:"name"`
	Namespace       string   `yaml:"namespace"`
	Hostname        string   `yaml:"hostname"`
	VIPs            []string `yaml:"vips"`
	Ports           Ports    `yaml:"ports"`
	SubjectAltNames []string `yaml:"subjectAltNames,omitempty"`
	Waypoint        *Gateway `yaml:"waypoint,omitempty"`
}

// Policy is one authorization policy.
type Policy struct {
	Name      string      `yaml:"name"`
	Namespace string      `yaml:"namespace"`
	Scope     string      `yaml:"scope"`
	Action    string      `yaml:"action"`
	DryRun    bool        `yaml:"dryRun"`
	Rules     [][][]Match `yaml:"rules"`
}

// Match is one match of a policy's clause.
type Match struct {
	Principals       []Exact  `yaml:"principals,omitempty"`
	SourceIPs        []string `yaml:"sourceIps,omitempty"`
	DestinationPorts []uint16 `yaml:"destinationPorts,omitempty"`
}

// Exact is a string match that takes only the string itself.
type Exact string

// MarshalYAML writes the tagged scalar that the reference reads.
func (e Exact) MarshalYAML() (any, error) {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!Exact", Value: string(e)}, nil
}
