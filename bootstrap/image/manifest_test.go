package image

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/troupe-mesh/troupe/bootstrap/config"
	"github.com/troupe-mesh/troupe/bootstrap/version"
)

// daemonSet is what is looked at of a manifest.
type daemonSet struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Spec     struct {
		UpdateStrategy struct {
			Type          string
			RollingUpdate struct {
				MaxSurge       int `yaml:"maxSurge"`
				MaxUnavailable int `yaml:"maxUnavailable"`
			} `yaml:"rollingUpdate"`
		} `yaml:"updateStrategy"`
		Selector struct {
			MatchLabels map[string]string `yaml:"matchLabels"`
		}
		Template struct {
			Metadata struct{ Labels, Annotations map[string]string }
			Spec     podSpec
		}
	}
}

type podSpec struct {
	ServiceAccountName            string `yaml:"serviceAccountName"`
	PriorityClassName             string `yaml:"priorityClassName"`
	TerminationGracePeriodSeconds int    `yaml:"terminationGracePeriodSeconds"`
	Containers                    []container
	Volumes                       []struct {
		Name     string
		HostPath struct{ Path string } `yaml:"hostPath"`
	}
}

type container struct {
	Name, Image string
	Args        []string
	Command     []string
	Ports       []struct {
		ContainerPort int `yaml:"containerPort"`
		Name          string
	}
	ReadinessProbe struct {
		HTTPGet struct {
			Port int
			Path string
		} `yaml:"httpGet"`
	} `yaml:"readinessProbe"`
	SecurityContext map[string]any `yaml:"securityContext"`
	Env             []variable
	VolumeMounts    []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type variable struct {
	Name, Value string
	ValueFrom   struct {
		FieldRef struct {
			FieldPath string `yaml:"fieldPath"`
		} `yaml:"fieldRef"`
		ResourceFieldRef struct{ Resource string } `yaml:"resourceFieldRef"`
	} `yaml:"valueFrom"`
}

// filled is the variable as the kubelet sets it.
func (v variable) filled(t *testing.T) string {
	t.Helper()
	values := map[string]string{
		"metadata.name": "ztunnel-x2x4z", "metadata.namespace": "istio-system", "spec.nodeName": "node-1", "status.podIP": "10.0.0.9",
		"spec.serviceAccountName": "ztunnel", "limits.cpu": "8", "requests.cpu": "1",
	}
	from := v.ValueFrom.FieldRef.FieldPath + v.ValueFrom.ResourceFieldRef.Resource
	if from == "" {
		return v.Name + "=" + v.Value
	}
	value, ok := values[from]
	if !ok {
		t.Errorf("%s comes from %s, which is nothing the kubelet offers", v.Name, from)
	}
	return v.Name + "=" + value
}

// read finds the DaemonSet of a manifest.
func read(t *testing.T, file string) (daemonSet, []byte) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var d daemonSet
		switch err := decoder.Decode(&d); {
		case errors.Is(err, io.EOF):
			t.Fatalf("%s has no DaemonSet", file)
		case err != nil:
			t.Fatalf("%s: %v", file, err)
		case d.Kind == "DaemonSet":
			return d, content
		}
	}
}

// manifests are ours and, with TROUPE_CHART, what Helm makes of Istio's chart and our values: task chart.
func manifests(t *testing.T) map[string]daemonSet {
	t.Helper()
	ours, _ := read(t, "daemonset.yaml")
	all := map[string]daemonSet{"daemonset.yaml": ours}
	if chart := os.Getenv("TROUPE_CHART"); chart != "" {
		all[chart], _ = read(t, chart)
	}
	return all
}

// mounted is a machine that has the mounts' usual content.
func mounted(c container, files map[string]string) config.Host {
	has := func(name string) bool {
		_, ok := files[path.Join("/", name)]
		dir := path.Dir(path.Join("/", name))
		at := func(m struct {
			Name      string
			MountPath string `yaml:"mountPath"`
		},
		) bool {
			return m.MountPath == dir
		}
		return ok && (slices.ContainsFunc(c.VolumeMounts, at) || dir == "/etc")
	}
	return config.Host{
		CPUs: 4, Exists: has,
		ReadFile: func(name string) ([]byte, error) {
			if !has(name) {
				return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
			}
			return []byte(files[path.Join("/", name)]), nil
		},
	}
}

// The binary takes all that a manifest sets, and finds what a manifest mounts, without a warning.
func TestTheBinaryTakesWhatTheManifestsSet(t *testing.T) {
	for name, d := range manifests(t) {
		t.Run(path.Base(name), func(t *testing.T) {
			spec := d.Spec.Template.Spec
			if len(spec.Containers) != 1 {
				t.Fatalf("%d containers", len(spec.Containers))
			}
			c := spec.Containers[0]
			environ := []string{"KUBERNETES_SERVICE_HOST=10.96.0.1"}
			for _, v := range c.Env {
				if reason, ok := config.Known(v.Name); !ok {
					t.Errorf("nobody knows %s", v.Name)
				} else if reason != "" {
					t.Logf("%s is %s", v.Name, reason)
				}
				environ = append(environ, v.filled(t))
			}
			host := mounted(c, map[string]string{
				"/var/run/secrets/istio/root-cert.pem": "", "/var/run/secrets/tokens/istio-token": "",
				"/etc/resolv.conf": "nameserver 10.96.0.10\n",
			})
			cfg, err := config.Load(environ, c.Args, host)
			if err != nil {
				t.Fatal(err)
			}
			if len(cfg.Warnings) > 0 {
				t.Errorf("warnings: %q", cfg.Warnings)
			}
			checkConfig(t, cfg, d)
			checkContainer(t, c, cfg)
		})
	}
}

func checkConfig(t *testing.T, cfg *config.Config, d daemonSet) {
	t.Helper()
	spec := d.Spec.Template.Spec
	if cfg.ProxyMode != config.Shared || !cfg.Proxy || !cfg.DNSProxy || cfg.OwnIdentity == nil || cfg.LocalNode == nil {
		t.Errorf("not a node's proxy: %+v", cfg)
	}
	if cfg.Auth.File == "" || cfg.CARootCert.File == "" || cfg.XDSRootCert.File == "" {
		t.Errorf("token %+v, roots %+v and %+v are not the mounted files", cfg.Auth, cfg.CARootCert, cfg.XDSRootCert)
	}
	if cfg.OwnIdentity != nil && cfg.OwnIdentity.ServiceAccount != spec.ServiceAccountName {
		t.Errorf("our account is %s, the pod's %s", cfg.OwnIdentity.ServiceAccount, spec.ServiceAccountName)
	}
	if drain := cfg.DrainDeadline.Seconds(); drain >= float64(spec.TerminationGracePeriodSeconds) {
		t.Errorf("draining takes up to %vs, and Kubernetes waits %ds", drain, spec.TerminationGracePeriodSeconds)
	}
	if u := d.Spec.UpdateStrategy; u.Type != "RollingUpdate" || u.RollingUpdate.MaxSurge != 1 || u.RollingUpdate.MaxUnavailable != 0 {
		t.Errorf("no overlap in an update: %+v", u)
	}
	for key, value := range d.Spec.Selector.MatchLabels {
		if d.Spec.Template.Metadata.Labels[key] != value {
			t.Errorf("the selector %s=%s does not match the pods", key, value)
		}
	}
	if d.Spec.Template.Metadata.Labels["istio.io/dataplane-mode"] != "none" {
		t.Error("the proxy's own pod would be captured")
	}
	if port := d.Spec.Template.Metadata.Annotations["prometheus.io/port"]; port != strconv.Itoa(int(cfg.Stats.Socket.Port())) {
		t.Errorf("Prometheus is sent to port %s", port)
	}
	if at := path.Dir(cfg.InpodUDS); !slices.ContainsFunc(spec.Volumes, func(v struct {
		Name     string
		HostPath struct{ Path string } `yaml:"hostPath"`
	},
	) bool {
		return v.HostPath.Path == at
	}) {
		t.Errorf("the CNI agent's %s is not the host's", at)
	}
}

func checkContainer(t *testing.T, c container, cfg *config.Config) {
	t.Helper()
	commands := version.Commands()
	if len(c.Command) > 0 || len(c.Args) == 0 ||
		!slices.ContainsFunc(commands, func(v version.Command) bool { return v.Name == c.Args[0] }) {
		t.Errorf("the command is %q %q", c.Command, c.Args)
	}
	if len(c.Ports) != 1 || c.Ports[0].ContainerPort != int(cfg.Stats.Socket.Port()) {
		t.Errorf("ports %+v, want that of %v", c.Ports, cfg.Stats)
	}
	probe := c.ReadinessProbe.HTTPGet
	if probe.Port != int(cfg.Readiness.Socket.Port()) || probe.Path != "/healthz/ready" {
		t.Errorf("the probe asks %+v, and we answer on %v", probe, cfg.Readiness)
	}
	if cfg.Readiness.Localhost || cfg.Stats.Localhost {
		t.Error("the kubelet and Prometheus can't reach loopback")
	}
	want := map[string]any{
		"privileged": false, "allowPrivilegeEscalation": true, "readOnlyRootFilesystem": true,
		"runAsUser": 0, "runAsGroup": 1337, "runAsNonRoot": false,
		"capabilities": map[string]any{"drop": []any{"ALL"}, "add": []any{"NET_ADMIN", "SYS_ADMIN", "NET_RAW"}},
	}
	if diff := cmp.Diff(want, c.SecurityContext); diff != "" {
		t.Errorf("security context (-want +got):\n%s", diff)
	}
	if !strings.Contains(c.Image, "/") {
		t.Errorf("the image %q has no registry", c.Image)
	}
}

// The chart takes an image with a "/" as a whole, so that its own hub, tag and variant do not matter; and every variable
// that the values suggest is one that is read.
func TestValues(t *testing.T) {
	content, err := os.ReadFile("values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Image           string
		ImagePullPolicy string `yaml:"imagePullPolicy"`
		Env             map[string]string
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	decoder.KnownFields(true)
	if err := decoder.Decode(&values); err != nil {
		t.Fatal(err)
	}
	ours, _ := read(t, "daemonset.yaml")
	if c := ours.Spec.Template.Spec.Containers[0]; values.Image != c.Image || !strings.Contains(values.Image, "/") {
		t.Errorf("the values' image is %q, the manifest's %q", values.Image, c.Image)
	}
	suggested := 0
	for line := range strings.Lines(string(content)) {
		name, _, ok := strings.Cut(strings.TrimPrefix(line, "#  "), ":")
		if !ok || strings.ToUpper(name) != name || strings.Contains(name, " ") {
			continue
		}
		suggested++
		if reason, ok := config.Known(name); !ok || reason != "" {
			t.Errorf("%s is suggested and not read", name)
		}
	}
	if suggested == 0 {
		t.Error("found no suggested variable")
	}
}

// All ways to build the image end with the same entry point, directory and variable.
func TestDockerfile(t *testing.T) {
	content, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	assembler, err := os.ReadFile("assemble/main.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"FROM scratch\n", "CGO_ENABLED=0", "ENTRYPOINT [\"/usr/local/bin/ztunnel\"]\n", "ENV ISTIO_META_ISTIO_VERSION=", "WORKDIR /\n",
		"./bootstrap/troupe",
	} {
		if !bytes.Contains(content, []byte(want)) {
			t.Errorf("the Dockerfile lacks %q", want)
		}
	}
	for _, want := range []string{`"/usr/local/bin/ztunnel"`, `"ISTIO_META_ISTIO_VERSION="`, `WorkingDir: "/"`} {
		if !bytes.Contains(assembler, []byte(want)) {
			t.Errorf("the assembler lacks %q", want)
		}
	}
}
