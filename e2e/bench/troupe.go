package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"

	"github.com/troupe-mesh/troupe/e2e/mesh"
)

// startTroupe starts the product as the proxy of one workload, on its own loopback address, and waits until it is ready.
// Policy, access log and metrics are on, as always; the log's lines go nowhere.
// Environ is added to its environment.
func (p *plan) startTroupe(place byte, workload string, host byte, environ ...string) (*process, error) {
	config := mesh.Config{}
	for name, host := range map[string]byte{"client": 1, "server": 2} {
		config.Workloads = append(config.Workloads, mesh.Workload{
			UID: "bench/" + name, Name: name, Namespace: "default", ServiceAccount: name, TrustDomain: "cluster.local",
			WorkloadIPs: []string{address(place, host).String()}, Protocol: mesh.HBONE, Services: map[string]mesh.Ports{},
			WorkloadName: name, WorkloadType: "deployment", CanonicalName: name, CanonicalRevision: "v1", ClusterID: "Kubernetes",
		})
	}
	bind := address(place, host).String()
	t := &process{cmd: exec.Command(p.binary, "proxy"), stop: (*process).terminate}
	t.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GOMAXPROCS=2",
		"PROXY_MODE=dedicated", "PROXY_WORKLOAD_INFO=default/" + workload + "/" + workload, "LOCAL_XDS=" + config.YAML(),
		"XDS_ADDRESS=", "FAKE_CA=true", "FAKE_CA_DIR=" + p.caDir, "TROUPE_BIND_IP=" + bind,
		"UNSTABLE_ENABLE_SOCKS5=true", "ENABLE_ORIG_SRC=false", "ISTIO_META_DNS_CAPTURE=false",
	}
	t.cmd.Env = append(t.cmd.Env, environ...)
	t.cmd.Stderr = os.Stderr
	if err := t.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.binary, err)
	}
	url := "http://" + bind + ":15021/healthz/ready"
	if !poll(readyLimit, func(ctx context.Context) bool { return isOK(ctx, url) }) {
		return nil, fmt.Errorf("troupe for %s isn't ready after %v; %w", workload, readyLimit, t.end())
	}
	return t, nil
}

func isOK(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
