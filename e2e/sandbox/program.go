package sandbox

import (
	"os"
	"os/exec"
	"testing"
)

// Program finds a program that a test runs. Where it is missing the test is skipped, with the packages of Debian that have it,
// or fails where the environment variable env is "required".
func Program(tb testing.TB, env, packages, name string) string {
	tb.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
	case os.Getenv(env) == "required":
		tb.Fatalf("%s=required, but: %v", env, err)
	default:
		tb.Skipf("%v; install %s", err, packages)
	}
	return path
}
