// Package image holds what runs the proxy on a cluster: the Dockerfile, the manifest of a DaemonSet, the values for
// Istio's own chart and, in a module of its own, the assembler that builds the image where there is no Docker. It has no
// code; its tests hold the manifests against what the binary accepts.
package image
