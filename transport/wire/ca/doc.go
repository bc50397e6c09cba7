// Package ca is the certificate service of istiod (package istio.v1.auth; spec/control.md §1.3). It is generated.
package ca
