// Package demo is Troupe's main job on one machine, without root: two proxies, each on a loopback address of its own, a
// client application that enters by SOCKS5 and a server application behind the other proxy. It makes an allowed call, a
// call that a policy denies and a call to a port where nobody listens, and shows for each the result, the access log of
// both nodes and the trace that spans them.
package demo
