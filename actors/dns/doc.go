// Package dns is the DNS proxy of one pod (spec/control.md §6): it answers the pod's questions for the mesh's names itself,
// and asks the system's name servers for all others.
//
//	pod/<uid>
//	└── dns                    owns the sockets; drains them
//	    ├── dns-resolver ×2–4  one for each socket: takes its questions and answers them
//	    └── dns-forwarder      the cache, and what is under way to the name servers
//
// A question is asked by the pod, whatever its source address says: the resolver asks the workload store for the pod's
// workload, the service store which service the name means to it ([messages.FindHost]), and where none is meant the
// forwarder. All of these run on the goroutine of whoever asks, so that a name of the mesh, or one that is cached, is
// answered on the goroutine that has read the question, and wakes nobody. Only the way to a name server waits, on a
// goroutine of its own that several questions for the same name share.
//
//	question     who asks          which service                        answer
//	any          not in the state  –                                    SERVFAIL
//	A, AAAA      known             one, with addresses of the family    addresses, and the CNAME to a stripped name
//	A, AAAA      known             one, without                         no records
//	A, AAAA      known             none                                 what a name server says
//	other types  known             not asked                            what a name server says
//
// Everything is bounded: questions under way, those who wait for one of them, names and bytes that are cached, for a pod
// and for all pods of the node together ([Limits]). What a bound refuses is answered SERVFAIL and counted. A name server
// that is silent costs the questions that are for it, and nothing else.
package dns
