// Package security is what istiod says of authorization policies (package istio.security; spec/control.md §1.2). It is
// generated and holds data only: transport/xds makes the model of it.
package security
