// Package pod is one pod's proxy: its listeners, its pools of tunnels, its registry of connections, and the flows that
// it spawns. In dedicated mode there is exactly one.
//
//	pod/<uid>
//	├── listener ×3–4    accepts on 15001, 15006, 15008 and, where enabled, 15080
//	├── session          one per HBONE connection of a peer: handshake, HTTP/2, its CONNECT streams
//	├── pool ×2          tunnels of 15001 and of 15080
//	├── connections      what the pod serves right now
//	├── dns              where enabled: the DNS proxy (actors/dns)
//	└── tunnel           one per flow (actors/flow)
//
// A crash of a flow or session ends that one; a crash of a listener, pool or registry restarts it. Draining closes the
// listening sockets at once, lets the sessions say goodbye to their peers, waits for the flows up to the deadline and
// then cuts what is left.
package pod
