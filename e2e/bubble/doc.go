// Package bubble runs whole nodes, one or ten, inside a testing/synctest bubble: the real actors, stores, certificates,
// TLS and tunnels on an internet in memory, in virtual time. A test describes the mesh, starts nodes, lets applications
// talk, and reads access logs, metrics and traces:
//
//	w := bubble.New(t, mesh)
//	client, server := w.Start("client"), w.Start("server")
//	server.Echo("10.0.0.2:8080")
//	client.Exchange("10.0.0.2:8080", "hello")
//	w.Settle()
//	client.WantAccess(`info ... dst.addr=10.0.0.2:15008 ...`)
//
// Everything must happen in the bubble. Close, which a test defers, stops applications and nodes; a goroutine that is
// left then fails the test, as synctest reports it as a deadlock.
package bubble
