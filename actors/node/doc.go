// Package node is the root of a proxy process's actors: it spawns the stores, the certificates, discovery and the pods'
// proxies, opens the doors when the first state has arrived, and drains everything at the end.
//
//	node
//	├── workloads  services  policies  dns-cache    the stores
//	├── certificates                                our identities
//	├── discovery                                   delivers the state to the stores
//	├── admin                                       the HTTP endpoints and readiness
//	└── pod/<uid>                                   the pods' proxies; dedicated mode has exactly one
//
// A store that crashes is started anew and delivered its state again; meanwhile it answers nothing that policy could
// deny. Restarts get slower while an actor keeps failing.
package node
