package proxy

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"github.com/troupe-mesh/troupe/transport/socket"
)

// gcPercent is GOGC at the start where the environment sets none; tuneCollector goes on from there.
const gcPercent = 200

// ownProcess sets what there is one of in a process: the number of descriptors, threads and bytes. Variables that Go
// itself knows (GOMAXPROCS, GOGC, GOMEMLIMIT) win.
func (p *Proxy) ownProcess(environ []string) {
	switch from, to, err := socket.RaiseFileLimit(); {
	case err != nil:
		p.log.Warn("failed to set file descriptor limits").Err(err).Send()
	default:
		p.log.Info(fmt.Sprintf("set file descriptor limits from %d to %d", from, to)).Send()
	}
	if !isSet(environ, "GOMAXPROCS") {
		runtime.GOMAXPROCS(p.config.WorkerThreads)
	}
	if !isSet(environ, "GOGC") {
		debug.SetGCPercent(gcPercent)
	}
	limit, err := memlimit.Set() // looks at GOMEMLIMIT itself
	none := errors.Is(err, memlimit.ErrNoLimit) || errors.Is(err, memlimit.ErrNoCgroup) || errors.Is(err, memlimit.ErrCgroupsNotSupported)
	switch {
	case err != nil && !none:
		p.log.Warn("failed to set the memory limit from the cgroup").Err(err).Send()
	case err == nil && limit < noMemoryLimit:
		p.log.Info(fmt.Sprintf("set memory limit to %d bytes", limit)).Send()
	}
}

// noMemoryLimit is what the runtime calls no limit: more than any machine has.
const noMemoryLimit = 1 << 60

func isSet(environ []string, name string) bool {
	for _, entry := range environ {
		if n, v, ok := strings.Cut(entry, "="); ok && n == name && v != "" {
			return true
		}
	}
	return false
}
