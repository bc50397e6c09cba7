package config

import (
	"io/fs"
	"strings"
	"testing"
)

const meshYAML = `
trustDomain: ignored
defaultConfig:
  discoveryAddress: istiod-rev0.istio-system:15012
  proxyAdminPort: 15099
  statsPort: 15888
  unknownField: {a: 1}
  proxyMetadata:
    ISTIO_META_FOO: foo
    ISTIO_META_FOOBAR: foobar
    PLAIN: plain
`

const proxyConfigJSON = `{"discoveryAddress": "istiod-rev0.istio-system-2:15012", "proxyAdminPort": 15999,
 "proxyMetadata": {"ISTIO_META_BAR": "bar", "ISTIO_META_FOOBAR": "over", "NO_PREFIX": "no-prefix"}}`

func TestProxyConfigLayers(t *testing.T) {
	mesh := map[string]string{meshConfigFile: meshYAML}
	tests := []struct {
		name         string
		files        map[string]string
		env          []string
		admin, stats uint16
		xds          string
		metadata     map[string]string
		missing      []string
	}{
		{
			"mesh file alone", mesh, nil, 15099, 15888, "https://istiod-rev0.istio-system:15012",
			map[string]string{"FOO": "foo", "FOOBAR": "foobar", "PLAIN": "plain"},
			[]string{"ISTIO_META_FOO"},
		},
		{
			"variable alone", nil,
			[]string{"PROXY_CONFIG=" + proxyConfigJSON, "ISTIO_META_INCLUDE=env", "OTHER=x"},
			15999, 15020, "https://istiod-rev0.istio-system-2:15012",
			map[string]string{"BAR": "bar", "FOOBAR": "over", "NO_PREFIX": "no-prefix", "INCLUDE": "env"},
			[]string{"OTHER"},
		},
		{
			"variable over file", mesh,
			[]string{"PROXY_CONFIG=" + proxyConfigJSON},
			15999, 15888,
			"https://istiod-rev0.istio-system-2:15012",
			map[string]string{"FOO": "foo", "BAR": "bar", "FOOBAR": "over", "PLAIN": "plain"},
			nil,
		},
		{
			"environment over both", mesh,
			[]string{"PROXY_CONFIG=" + proxyConfigJSON, "ISTIO_META_FOO=env", "XDS_ADDRESS=x:1"},
			15999, 15888, "https://x:1",
			map[string]string{"FOO": "env"},
			nil,
		},
		{
			"without proxyMetadata",
			map[string]string{meshConfigFile: "defaultConfig: {statsPort: 1}"},
			[]string{"PROXY_CONFIG={proxyAdminPort: 2}"},
			2, 1, "https://localhost:15012", nil, nil,
		},
		{"empty", map[string]string{meshConfigFile: ""}, []string{"PROXY_CONFIG="}, 15000, 15020, "https://localhost:15012", nil, nil},
		{"null", nil, []string{"PROXY_CONFIG=null"}, 15000, 15020, "https://localhost:15012", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Load(tt.env, nil, host(2, tt.files))
			if err != nil {
				t.Fatal(err)
			}
			if c.Admin.Port != tt.admin || c.Stats.Socket.Port() != tt.stats || c.XDSAddress != tt.xds {
				t.Errorf("got %v %v %v", c.Admin, c.Stats, c.XDSAddress)
			}
			for key, want := range tt.metadata {
				if got := c.ProxyMetadata[key]; got != want {
					t.Errorf("metadata %s: got %q, want %q", key, got, want)
				}
			}
			for _, key := range tt.missing {
				if got, ok := c.ProxyMetadata[key]; ok {
					t.Errorf("metadata has %s=%q", key, got)
				}
			}
		})
	}
}

func TestMeshFileUnreadable(t *testing.T) {
	h := host(2, nil)
	under := h.ReadFile
	h.ReadFile = func(name string) ([]byte, error) {
		if name == meshConfigFile {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
		}
		return under(name)
	}
	for _, h := range []Host{h, host(2, map[string]string{meshConfigFile: "defaultConfig: ["})} {
		_, err := Load(nil, nil, h)
		if err == nil || !strings.Contains(err.Error(), "error parsing proxy config: failed parsing mesh config file "+meshConfigFile) {
			t.Errorf("got %v", err)
		}
	}
}
