package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// archive is an image as docker save writes it: all files by name.
type archive map[string][]byte

func readArchive(t *testing.T, file string) archive {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	files := archive{}
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}

// imageConfig is what an image says of how it is run.
type imageConfig struct {
	OS     string
	Config struct {
		Entrypoint []string
		Env        []string
		WorkingDir string
	}
}

func (a archive) parts(t *testing.T) (c imageConfig, layers [][]byte) {
	t.Helper()
	var manifest []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(a["manifest.json"], &manifest); err != nil || len(manifest) != 1 {
		t.Fatalf("the manifest: %v", err)
	}
	if err := json.Unmarshal(a[manifest[0].Config], &c); err != nil {
		t.Fatal(err)
	}
	for _, name := range manifest[0].Layers {
		layers = append(layers, a[name])
	}
	return c, layers
}

// unpack writes a layer below root.
func unpack(t *testing.T, layer []byte, root string) {
	t.Helper()
	zipped, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(zipped)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		at := filepath.Join(root, filepath.Clean("/"+h.Name))
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(at, 0o755)
		case tar.TypeSymlink:
			err = os.Symlink(h.Linkname, at)
		case tar.TypeReg:
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(at, content, os.FileMode(h.Mode))
			}
		default:
			err = fmt.Errorf("%s is of type %q", h.Name, h.Typeflag)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// bundle is what runc runs: the image's files, and a configuration that says what the DaemonSet's security context does.
func bundle(t *testing.T, file, netns string, environ []string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "rootfs")
	c, layers := readArchive(t, file).parts(t)
	for _, layer := range layers {
		unpack(t, layer, root)
	}
	for _, mount := range []string{"proc", "sys", "dev", "tmp", "var/run/ztunnel"} { // what a container runtime makes itself
		if err := os.MkdirAll(filepath.Join(root, mount), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.Config.Entrypoint) != 1 || c.OS != "linux" || c.Config.WorkingDir != "/" || !strings.HasPrefix(c.Config.Env[0], "ISTIO_META_ISTIO_VERSION=") {
		t.Errorf("the image's configuration is %+v", c)
	}
	capabilities := []string{"CAP_NET_ADMIN", "CAP_SYS_ADMIN", "CAP_NET_RAW"}
	spec := map[string]any{
		"ociVersion": "1.0.2",
		"process": map[string]any{
			"user": map[string]int{"uid": 0, "gid": 1337}, "args": append(c.Config.Entrypoint, args...),
			"env": append(c.Config.Env, environ...), "cwd": c.Config.WorkingDir, "noNewPrivileges": false,
			"capabilities": map[string]any{"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
		},
		"root": map[string]any{"path": "rootfs", "readonly": true},
		"mounts": []map[string]any{
			{"destination": "/proc", "type": "proc", "source": "proc"},
			{"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "mode=755", "size=64k"}},
			{"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": []string{"nosuid", "noexec", "nodev", "ro"}},
			{"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": []string{"nosuid", "noexec", "nodev", "ro"}},
			{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": []string{"nosuid", "size=1m"}},
		},
		"linux": map[string]any{"namespaces": []map[string]string{
			{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network", "path": netns},
		}},
	}
	content, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
