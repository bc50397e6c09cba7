// Package discovery delivers what the control plane says to the stores, in the order that keeps every intermediate
// state usable: workloads, then policies, then services, in bounded chunks. It keeps what it delivered, so that a store
// that crashed is delivered its state again. This part knows the local source (LOCAL_XDS_PATH, LOCAL_XDS): read once
// at start.
package discovery
