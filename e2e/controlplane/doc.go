// Package controlplane is whole proxies, real processes in namespaces of their own, that know nothing but where their
// control plane is (e2e/istiod): they wait for it, carry traffic under what it says, obey what it changes while connections
// live, and go on when it dies.
package controlplane
