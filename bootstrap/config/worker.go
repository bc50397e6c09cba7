package config

import (
	"math"
	"strconv"
	"strings"
)

const (
	leastWorkers   = 2
	workerFraction = 0.25
)

// workerThreads decides how many threads serve traffic (spec/ops.md §1.4); at least 1.
func (l *loader) workerThreads(concurrency *uint16) int {
	limit, limited := l.cpuQuantity("ZTUNNEL_RESOURCE_CPU_LIMIT")
	request, _ := l.cpuQuantity("ZTUNNEL_RESOURCE_CPU_REQUEST")
	cpus := int(l.env.unsigned("ZTUNNEL_CPU_LIMIT", 31, uint64(l.host.CPUs)))
	if limited {
		cpus = limit
	}
	if value, ok := l.env.lookup("ZTUNNEL_WORKER_THREADS"); ok {
		return max(l.explicitWorkers(value, cpus), 1)
	}
	switch {
	case concurrency != nil && *concurrency > 0:
		return int(*concurrency)
	case concurrency != nil:
		return max(cpus, 1)
	case limited:
		return max(limit, request, 1)
	}
	return max(int(math.Ceil(workerFraction*float64(cpus))), request, leastWorkers)
}

// explicitWorkers reads ZTUNNEL_WORKER_THREADS: a number, 0 for all processors, or a percentage of them.
func (l *loader) explicitWorkers(value string, cpus int) int {
	const name = "ZTUNNEL_WORKER_THREADS"
	if percent, ok := strings.CutSuffix(value, "%"); ok {
		share, ok := parseDecimal(percent)
		if !ok {
			l.env.reject(name, "invalid percentage; write a number and %, such as 50%")
			return 1
		}
		if share <= 0 || share > 100 {
			l.env.reject(name, "percentage must be between 0 and 100; write a percentage above 0% and up to 100%")
			return 1
		}
		return int(math.Ceil(float64(cpus) * share / 100))
	}
	n, err := parseUnsigned(value, 31)
	if err != nil {
		l.env.reject(name, "invalid number: "+err.Error()+", or a percentage such as 50%")
		return 1
	}
	if n == 0 {
		return cpus
	}
	return int(n)
}

// cpuQuantity reads a Kubernetes quantity of processors (2, 1.5, 500m), rounded up; the second result is false when it is
// not set or not usable.
func (l *loader) cpuQuantity(name string) (int, bool) {
	value, ok := l.env.lookup(name)
	if !ok {
		return 0, false
	}
	number, unit := value, 1.0
	if millis, ok := strings.CutSuffix(value, "m"); ok {
		number, unit = millis, 1000
	}
	n, ok := parseDecimal(number)
	if !ok || n <= 0 || n/unit > math.MaxInt32 {
		l.env.reject(name, "must be a positive CPU quantity; write for example 2, 1.5 or 500m")
		return 0, false
	}
	return int(math.Ceil(n / unit)), true
}

// parseDecimal reads a finite decimal number; hexadecimal and underscores are no decimals.
func parseDecimal(s string) (float64, bool) {
	if s == "" || strings.Trim(s, "0123456789.+-eE") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil && !math.IsInf(n, 0)
}
