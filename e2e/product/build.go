package product

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/sandbox"
)

// binaryEnv names the binary to test. Set by hand, it saves the build: TROUPE_E2E_BINARY=/path/to/troupe.
const binaryEnv = "TROUPE_E2E_BINARY"

// raceEnv=true builds the binary with the race detector.
const raceEnv = "TROUPE_E2E_RACE"

const command = "github.com/troupe-mesh/troupe/bootstrap/troupe"

// Main is sandbox.Main for tests that start the product: it builds it once, before anything else.
func Main(m *testing.M) int {
	var dir string
	defer func() { _ = os.RemoveAll(dir) }()
	return sandbox.Main(m, func() (env []string, err error) {
		if os.Getenv(binaryEnv) != "" {
			return nil, nil
		}
		if dir, err = os.MkdirTemp("", "troupe-e2e-"); err != nil {
			return nil, fmt.Errorf("making a place for the binary: %w", err)
		}
		binary := filepath.Join(dir, "troupe")
		return []string{binaryEnv + "=" + binary}, Build(binary)
	})
}

// Build builds the product into the file binary.
func Build(binary string) error {
	args := []string{"build", "-o", binary}
	cgo := "CGO_ENABLED=0"
	if os.Getenv(raceEnv) == "true" {
		args, cgo = append(args, "-race"), "CGO_ENABLED=1"
	}
	build := exec.Command("go", append(args, command)...)
	build.Env = append(os.Environ(), cgo)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", command, err, out)
	}
	return nil
}
