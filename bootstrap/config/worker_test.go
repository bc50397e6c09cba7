package config

import (
	"strings"
	"testing"
)

func TestWorkerThreads(t *testing.T) {
	tests := []struct {
		cpus int
		env  string
		want int
	}{
		{4, "", 2},
		{32, "", 8},
		{33, "", 9},
		{64, "ZTUNNEL_CPU_LIMIT=32", 8},
		{64, "ZTUNNEL_RESOURCE_CPU_LIMIT=16", 16},
		{64, "ZTUNNEL_RESOURCE_CPU_LIMIT=1", 1},
		{64, "ZTUNNEL_RESOURCE_CPU_LIMIT=500m", 1},
		{64, "ZTUNNEL_RESOURCE_CPU_LIMIT=2500m", 3},
		{64, "ZTUNNEL_RESOURCE_CPU_LIMIT=1.5", 2},
		{64, "ZTUNNEL_RESOURCE_CPU_LIMIT=4;ZTUNNEL_RESOURCE_CPU_REQUEST=8", 8},
		{8, "ZTUNNEL_RESOURCE_CPU_REQUEST=5", 5},
		{8, "ZTUNNEL_RESOURCE_CPU_REQUEST=200m", 2},
		{8, "ZTUNNEL_WORKER_THREADS=7", 7},
		{8, "ZTUNNEL_WORKER_THREADS=0", 8},
		{8, "ZTUNNEL_WORKER_THREADS=50%", 4},
		{16, "ZTUNNEL_WORKER_THREADS=30%", 5},
		{4, "ZTUNNEL_WORKER_THREADS=10%", 1},
		{4, "ZTUNNEL_WORKER_THREADS=50%;ZTUNNEL_RESOURCE_CPU_LIMIT=16", 8},
		{8, "ZTUNNEL_WORKER_THREADS=0;ZTUNNEL_CPU_LIMIT=0", 1},
		{8, "PROXY_CONFIG={concurrency: 3}", 3},
		{8, "PROXY_CONFIG={concurrency: 0}", 8},
		{8, "PROXY_CONFIG={concurrency: 3};ZTUNNEL_WORKER_THREADS=5", 5},
	}
	for _, tt := range tests {
		c, err := Load(strings.Split(tt.env, ";"), nil, host(tt.cpus, nil))
		if err != nil {
			t.Errorf("%s: %v", tt.env, err)
			continue
		}
		if c.WorkerThreads != tt.want {
			t.Errorf("%s on %d: got %d, want %d", tt.env, tt.cpus, c.WorkerThreads, tt.want)
		}
	}
}
