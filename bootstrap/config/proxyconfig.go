package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"

	"go.yaml.in/yaml/v3"
)

// meshConfigFile is where Istio's sidecars find their mesh configuration.
const meshConfigFile = "./etc/istio/config/mesh"

const (
	metaPrefix     = "ISTIO_META_"
	metaJSONPrefix = "ISTIO_METAJSON_"
)

// proxyConfig is what is understood of Istio's ProxyConfig; other fields are ignored (spec/ops.md §1.1).
type proxyConfig struct {
	DiscoveryAddress *string           `yaml:"discoveryAddress"`
	ProxyAdminPort   *uint16           `yaml:"proxyAdminPort"`
	StatsPort        *uint16           `yaml:"statsPort"`
	Concurrency      *uint16           `yaml:"concurrency"`
	ProxyMetadata    map[string]string `yaml:"proxyMetadata"`
}

// merge lays other over p, field by field; metadata key by key.
func (p *proxyConfig) merge(other *proxyConfig) {
	if other == nil {
		return
	}
	overlay(&p.DiscoveryAddress, other.DiscoveryAddress)
	overlay(&p.ProxyAdminPort, other.ProxyAdminPort)
	overlay(&p.StatsPort, other.StatsPort)
	overlay(&p.Concurrency, other.Concurrency)
	maps.Copy(p.ProxyMetadata, other.ProxyMetadata)
}

func overlay[T any](under **T, over *T) {
	if over != nil {
		*under = over
	}
}

// proxyConfig merges the mesh file, PROXY_CONFIG and the ISTIO_META_ variables, later ones over earlier ones.
func (l *loader) proxyConfig() proxyConfig {
	pc := proxyConfig{ProxyMetadata: map[string]string{}}
	mesh, err := l.meshFile()
	if err != nil {
		l.reject(&ProxyConfigError{fmt.Errorf("failed parsing mesh config file %s: %w", meshConfigFile, err)})
	}
	pc.merge(mesh)
	l.note(mesh, fromMeshFile)
	if text := l.env.text("PROXY_CONFIG", ""); text != "" {
		var over *proxyConfig
		if err := yaml.Unmarshal([]byte(text), &over); err != nil {
			l.reject(&ProxyConfigError{fmt.Errorf("failed parsing proxy config env: invalid env var PROXY_CONFIG=%s "+
				"(write a YAML or JSON object of a ProxyConfig): %w", text, err)})
		} else {
			pc.merge(over)
			l.note(over, fromProxyConfig)
		}
	}
	metadata := make(map[string]string, len(pc.ProxyMetadata))
	for key, value := range pc.ProxyMetadata {
		if !strings.HasPrefix(key, metaPrefix) {
			metadata[key] = value
		}
	}
	for key, value := range pc.ProxyMetadata {
		if name, ok := strings.CutPrefix(key, metaPrefix); ok {
			metadata[name] = value
		}
	}
	for _, name := range l.env.names(metaPrefix) {
		metadata[strings.TrimPrefix(name, metaPrefix)] = l.env.vars[name]
	}
	pc.ProxyMetadata = metadata
	return pc
}

// note remembers that a ProxyConfig came from a place.
func (l *loader) note(pc *proxyConfig, place string) {
	if pc == nil {
		return
	}
	for name, has := range map[string]bool{
		fieldDiscoveryAddress: pc.DiscoveryAddress != nil, fieldConcurrency: pc.Concurrency != nil,
		fieldAdminPort: pc.ProxyAdminPort != nil, fieldStatsPort: pc.StatsPort != nil,
	} {
		if has {
			l.origins[name] = place
		}
	}
	for key := range pc.ProxyMetadata {
		l.origins[metaPrefix+strings.TrimPrefix(key, metaPrefix)] = place
	}
}

// meshFile reads defaultConfig of the mesh configuration; nil where there is no file or no such field.
func (l *loader) meshFile() (*proxyConfig, error) {
	content, err := l.host.ReadFile(meshConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var mesh struct {
		DefaultConfig *proxyConfig `yaml:"defaultConfig"`
	}
	if err := yaml.Unmarshal(content, &mesh); err != nil {
		return nil, err
	}
	return mesh.DefaultConfig, nil
}
