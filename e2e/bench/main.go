// Command bench measures Troupe's data path against the frozen stock baseline v1, in one run, interleaved.
//
// Each proxy is a process of its own; all of them live throughout. A round runs every contender once, in order, and
// the next round in reverse (A B C, C B A, …), so that what the machine does meanwhile falls on all alike. Ratios are
// the medians of the rounds' own ratios. CPU is that of both proxies, user and system, per unit of work: it is the
// steadier figure on a machine with few cores. All sockets use the system's congestion control.
//
//	go run ./e2e/bench                                      everything, n=7
//	go run ./e2e/bench -scenarios tput1,echo -n 11 -contenders v1,thin
//	go run ./e2e/bench -idle 0                              without the memory measurement
//
// Contenders: v1 (the baseline), thin (transport/hbone and nothing else, no actors), troupe (the whole product), and
// for plain TCP splice (a bare splice proxy) against troupe-plain. The scenario tracing, which is not among the usual ones,
// compares the rates of new connections without traces, with one connection in a hundred traced and with all of them, and
// fails when they cost more than they may. The scenario share profiles the product while it sets
// connections up, and says which part is its actors'. All are entered by SOCKS5. Only loopback is used.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	runRole()
	p := plan{out: os.Stdout, log: os.Stderr}
	scenarios := flag.String("scenarios", "tput1,tput8,echo,rr1x1,rr64x1k,cps16,plain,share", "what to measure")
	contenders := flag.String("contenders", "v1,thin,troupe", "whom to measure; the first is what the others are compared with")
	flag.IntVar(&p.rounds, "n", 7, "rounds")
	flag.Int64Var(&p.bytes, "bytes", 1<<30, "bytes per throughput run")
	flag.IntVar(&p.ops, "ops", 60000, "operations per request/response run; a third of that for new connections")
	flag.IntVar(&p.idle, "idle", 10000, "idle tunnels to measure memory with; 0 for none")
	flag.StringVar(&p.binary, "troupe", "", "the product's binary; empty to build it")
	flag.Parse()
	p.scenarios, p.contenders = list(*scenarios), list(*contenders)
	if err := p.run(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// list reads a comma-separated list; the empty text is an empty one.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}
