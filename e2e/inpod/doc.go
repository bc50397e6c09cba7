// Package inpod holds the proxy of a whole node against the catalogue of spec/ops.md §11.2: pods of the mesh in network
// namespaces of their own with the CNI's redirection, one proxy process per node in its own, and a CNI agent that tells it of
// them; IPv4 and IPv6.
package inpod
