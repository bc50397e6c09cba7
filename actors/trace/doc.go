// Package trace is where a connection becomes visible: its trace, its access-log line and its metrics, all made from
// one messages.Record, so that the three always agree.
//
// A flow calls Telemetry directly, on its own goroutine, in this order:
//
//	Start                         at accept: ids, head decision, socket gauge
//	Join                          inbound HBONE, once the CONNECT was read
//	Outgoing                      outbound HBONE, before the CONNECT is written
//	Opened                        once the stats are known (spec/dataplane.md §11.3)
//	WantsKeep                     inbound HBONE, before the answer is written
//	SetupEnded                    established or failed: decides whether the spans are kept
//	Follow                        established: tunnel.segment spans while the connection lives
//	Closed                        after Opened, always, once: counters, access log, tunnel.close
//	EarlyDenied                   instead of Opened, SetupEnded and Closed, for connections refused before their stats
//
// No call blocks: what costs time (making OpenTelemetry spans, exporting them) is handed to one worker over a bounded
// queue, and what does not fit is counted and left out. Spans are made late, from the marks of the record, with the
// ids that were fixed at accept, so that a connection which fails has its whole trace although nobody knew at accept
// that it would (TRACING §5.2).
//
// The metrics are this package's own registry: the reference's exposition has an order of families, labels and
// suffixes that must be kept byte for byte, and series are bound once per connection. This package and bootstrap are
// the only ones that know OpenTelemetry.
package trace
