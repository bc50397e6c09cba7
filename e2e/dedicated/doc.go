// Package dedicated tests whole proxies in dedicated mode from outside: pods in real network namespaces on two nodes,
// applications redirected to the proxies that share their pods, and everything a user could see of it: bytes,
// addresses, metrics, access log, exit codes. The scenarios are the reference's (spec/ops.md §11.2, §11.3) and those
// that Troupe adds; the catalogue in this package says which is which.
package dedicated
