// Package messages is what is said in Troupe: the frozen model of workloads, services and policies, the
// questions and answers that actors exchange about them, and the vocabulary (reasons, field names, trace and
// span ids) that logs, metrics and spans share.
//
// It holds plain data and small pure methods, starts no goroutine and imports nothing else of Troupe. A value is
// frozen once it was sent: whoever receives a pointer may read it for ever and must never write to it. The few
// messages that carry something that must be closed say so, and implement [Undeliverable].
package messages
