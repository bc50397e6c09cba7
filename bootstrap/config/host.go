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
	// CPUs is the number of processors that the process may use, 1 or more.
	CPUs int
}

// ThisHost is the machine we run on. Its processor count follows the cgroup's quota and the affinity mask.
func ThisHost() Host {
	return Host{ReadFile: os.ReadFile, CPUs: runtime.GOMAXPROCS(0)}
}

// exists reports whether name is something that can be read, or at least is there.
func (h Host) exists(name string) bool {
	if name == "" {
		return false
	}
	_, err := h.ReadFile(name)
	return err == nil || os.IsPermission(err)
}
