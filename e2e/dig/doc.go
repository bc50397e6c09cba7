// Package dig holds the DNS proxy against resolver clients that strangers wrote: dig and kdig, in a pod whose queries are
// redirected as istio-cni does it, with a name server in another pod.
package dig
