package trace

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// The reference reads these from collectors, whose helps end without a period (spec/ops.md §6.1, §6.4). Of its runtime's
// families we keep the two that have a meaning here.
var (
	openFDsHead = head{name: "process_open_fds", help: "Number of open file descriptors", kind: kindGauge}
	maxFDsHead  = head{name: "process_max_fds", help: "Maximum number of file descriptors", kind: kindGauge}
	workersHead = head{
		name: "tokio_num_workers", kind: kindGauge,
		help: "the number of worker threads used by the runtime",
	}
	tasksHead = head{name: "tokio_num_alive_tasks", help: "the number of alive tasks in the runtime", kind: kindGauge}
)

// writeProcess leaves out what the system does not tell.
func writeProcess(e *exposition) {
	if n, err := openFDs(); err == nil {
		e.head(&openFDsHead)
		e.gauge(&openFDsHead, nil, n)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil {
		e.head(&maxFDsHead)
		if limit.Cur == unix.RLIM_INFINITY {
			e.str(maxFDsHead.name, " +Inf\n")
		} else {
			e.gauge(&maxFDsHead, nil, int64(limit.Cur))
		}
	}
}

// openFDs counts the entries of /dev/fd without the one that reading it opens.
func openFDs() (int64, error) {
	dir, err := os.Open("/dev/fd")
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return 0, err
	}
	return int64(len(names) - 1), nil
}

func writeTokio(e *exposition) {
	e.head(&workersHead)
	e.gauge(&workersHead, nil, int64(runtime.GOMAXPROCS(0)))
	e.head(&tasksHead)
	e.gauge(&tasksHead, nil, int64(runtime.NumGoroutine()))
}
