package config

import (
	"os"
	"runtime"
)

// Host is what the configuration asks of the machine.
type Host struct {
	// ReadFile returns a file's content, or an error that wraps fs.ErrNotExist. Relative names are relative to the
	// working directory.
	ReadFile func(name string) ([]byte, error)
	// Exists reports whether there is something of that name.
	Exists func(name string) bool
	// CPUs is the number of processors that the process may use, 1 or more.
	CPUs int
}

// ThisHost is the machine we run on. Its processor count follows the cgroup's quota and the affinity mask.
func ThisHost() Host {
	return Host{ReadFile: os.ReadFile, Exists: exists, CPUs: runtime.GOMAXPROCS(0)}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
