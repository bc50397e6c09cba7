// Package route is the pure part of classification: the decision trees that turn what a proxy knows of a connection
// into the way it takes (spec/dataplane.md §2.5 for outbound, §4.6–§4.8 and §5 for inbound).
//
// A tree is a value with inputs. Its driver, the classify actor, calls Next and does what the returned [Step] says: it
// sends the question to the store named and gives the answer to Learn, then calls Next again, until a Step carries the
// classified request or the failure. A tree holds no clock, sends nothing and is used by one goroutine; it is spent
// after its last Step. The ordinary connection costs one question to the workloads and one to the services.
package route
