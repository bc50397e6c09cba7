// Command assemble makes the same image as the Dockerfile without a daemon and without any base: one layer of one static
// binary and the system's CA roots. The result is an archive for docker load, podman load and ctr images import; the same
// input makes the same image, byte for byte.
package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

const entrypoint = "/usr/local/bin/ztunnel"

func main() {
	var o options
	flag.StringVar(&o.name, "name", "localhost/troupe:dev", "the image's name and tag")
	flag.StringVar(&o.istio, "istio", "1.31.0", "the Istio version that the image says it belongs to")
	flag.StringVar(&o.binary, "binary", "", "the static binary")
	flag.StringVar(&o.roots, "roots", "/etc/ssl/certs/ca-certificates.crt", "the CA roots for SYSTEM; empty for none")
	flag.StringVar(&o.arch, "arch", runtime.GOARCH, "the binary's architecture")
	flag.StringVar(&o.out, "out", "image.tar", "the archive to write")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "assemble:", err)
		os.Exit(1)
	}
}

type options struct{ name, istio, binary, roots, arch, out string }

func (o options) run() error {
	tag, err := name.NewTag(o.name)
	if err != nil {
		return err
	}
	content, err := o.layer()
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
	if err != nil {
		return fmt.Errorf("make the layer: %w", err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return fmt.Errorf("add the layer: %w", err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = "linux", o.arch, v1.Time{Time: time.Unix(0, 0).UTC()}
	file.Config = v1.Config{
		Entrypoint: []string{entrypoint}, WorkingDir: "/", Env: []string{"ISTIO_META_ISTIO_VERSION=" + o.istio},
	}
	if image, err = mutate.ConfigFile(image, file); err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	if err := tarball.WriteToFile(o.out, tag, image); err != nil {
		return fmt.Errorf("write %s: %w", o.out, err)
	}
	digest, err := image.Digest()
	if err != nil {
		return fmt.Errorf("digest: %w", err)
	}
	fmt.Printf("%s %s in %s\n", tag, digest, o.out)
	return nil
}

// layer is the root file system.
func (o options) layer() ([]byte, error) {
	binary, err := os.ReadFile(o.binary)
	if err != nil {
		return nil, err
	}
	if err := static(binary); err != nil {
		return nil, fmt.Errorf("%s: %w", o.binary, err)
	}
	var content bytes.Buffer
	w := tar.NewWriter(&content)
	entries := []tar.Header{
		{Name: "usr/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "usr/local/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "usr/local/bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: entrypoint[1:], Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(binary))},
		{Name: "usr/local/bin/troupe", Typeflag: tar.TypeSymlink, Linkname: "ztunnel", Mode: 0o777},
	}
	bodies := map[string][]byte{entrypoint[1:]: binary}
	if o.roots != "" {
		roots, err := os.ReadFile(o.roots)
		if err != nil {
			return nil, fmt.Errorf("the CA roots (install ca-certificates, or say -roots ''): %w", err)
		}
		const at = "etc/ssl/certs/ca-certificates.crt"
		entries = append(entries,
			tar.Header{Name: "etc/", Typeflag: tar.TypeDir, Mode: 0o755},
			tar.Header{Name: "etc/ssl/", Typeflag: tar.TypeDir, Mode: 0o755},
			tar.Header{Name: "etc/ssl/certs/", Typeflag: tar.TypeDir, Mode: 0o755},
			tar.Header{Name: at, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(roots))},
		)
		bodies[at] = roots
	}
	for _, h := range entries {
		h.ModTime = time.Unix(0, 0)
		if err := w.WriteHeader(&h); err != nil {
			return nil, fmt.Errorf("add %s: %w", h.Name, err)
		}
		if _, err := w.Write(bodies[h.Name]); err != nil {
			return nil, fmt.Errorf("add %s: %w", h.Name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("close the layer: %w", err)
	}
	return content.Bytes(), nil
}

// static refuses what needs a loader: there is none in the image.
func static(binary []byte) error {
	f, err := elf.NewFile(bytes.NewReader(binary))
	if err != nil {
		return fmt.Errorf("not an ELF binary: %w", err)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("linked dynamically; build it with CGO_ENABLED=0")
		}
	}
	return nil
}
