// Package pods serves the pods of a node: it opens their listeners inside their network namespaces and supervises one
// proxy for each (spec/ops.md §3.5).
//
//	pods
//	└── pod/<uid>     actors/pod
//
// A pod is pending while it is opened and when that failed, then up. Stopping it closes its listeners at once and cuts its
// connections; what is left of it ends in its own time, and its namespace is let go when nothing needs it any more. A uid
// may come back meanwhile, in the same namespace or in another one: the new proxy does not wait for the old.
package pods
