package product

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Cost is what the process takes of the machine.
type Cost struct {
	KiB, Threads, Descriptors int
	Goroutines                float64
}

// Cost measures the process. Memory is what is resident.
func (p *Proxy) Cost() Cost {
	p.tb.Helper()
	return Cost{
		KiB: p.status("VmRSS"), Threads: p.status("Threads"), Descriptors: p.Descriptors(),
		Goroutines: p.Metrics().Sum("tokio_num_alive_tasks", nil),
	}
}

// Descriptors counts those of the process.
func (p *Proxy) Descriptors() int {
	p.tb.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		p.tb.Fatalf("proxy %s: %v", p.name, err)
	}
	return len(entries)
}

// status is a number of /proc/<pid>/status.
func (p *Proxy) status(name string) int {
	p.tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.tb.Fatalf("proxy %s: %v", p.name, err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
			if err != nil {
				p.tb.Fatalf("proxy %s: %s: %v", p.name, name, err)
			}
			return n
		}
	}
	p.tb.Fatalf("proxy %s has no %s", p.name, name)
	return 0
}
