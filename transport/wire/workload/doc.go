// Package workload is what istiod says of workloads and services (package istio.workload; spec/control.md §1.1). It is
// generated and holds data only: transport/xds makes the model of it.
package workload
