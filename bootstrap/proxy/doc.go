// Package proxy puts a proxy process together from its configuration and runs it: logs, telemetry, sockets, the local
// state, the certificate authority, the node's actors and the process's HTTP endpoints, in the order of spec/ops.md
// §2.2. What can fail does so before any connection is served.
package proxy
