// Command dnsbench measures Troupe's DNS proxy against dnsmasq, in one run, interleaved: queries a second and the 99th
// percentile of their latency, for names of the mesh (which dnsmasq has as host records) and for names of a name server
// that both have in their caches. Beside them stands what a query costs of a processor, which other load hardly changes.
//
// Each server is a process of its own; both live throughout. A round asks every contender once, in order, and the next
// round in reverse, so that what the machine does meanwhile falls on all alike. Ratios are the medians of the rounds' own.
// The clients are sockets that ask the next question when they have the answer. Only loopback is used.
//
//	go run ./e2e/dnsbench                          7 rounds of a second each
//	go run ./e2e/dnsbench -n 3 -for 300ms -clients 8
//	TROUPE_DNSBENCH_PROFILE=cpu.prof go run ./e2e/dnsbench     a profile of Troupe, too
//
// dnsmasq is Debian's package dnsmasq-base. With -want 1 the command fails where a ratio is below that.
package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"time"
)

// The addresses of the contenders and of the name server behind them.
var (
	troupeAddr  = netip.MustParseAddrPort("127.53.0.1:15053")
	dnsmasqAddr = netip.MustParseAddrPort("127.53.0.2:15053")
	serverAddr  = netip.MustParseAddrPort("127.53.0.9:15053")
)

func main() {
	if os.Getenv(roleEnv) != "" {
		serveTroupe()
		return
	}
	rounds := flag.Int("n", 7, "rounds")
	length := flag.Duration("for", time.Second, "how long each contender is asked for each kind of name in a round")
	clients := flag.Int("clients", 16, "sockets that ask at the same time")
	want := flag.Float64("want", 0, "the least ratio of each kind; below it the command fails")
	flag.Parse()
	if err := run(*rounds, *clients, *length, *want); err != nil {
		fmt.Fprintf(os.Stderr, "dnsbench: %v\n", err)
		os.Exit(1)
	}
}

// kinds are the names that are asked for.
var kinds = []struct{ kind, format string }{
	{"mesh", "svc-%d.shop.svc.cluster.local."},
	{"cached", "host-%d.example.com."},
}

func run(rounds, clients int, length time.Duration, want float64) error {
	upstream, err := startServer()
	if err != nil {
		return err
	}
	defer upstream()
	contenders, stop, err := start()
	if err != nil {
		return err
	}
	defer stop()
	t := table{results: map[string]map[string][]result{}}
	for round := range rounds {
		order := slices.Clone(contenders)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, k := range kinds {
			for _, c := range order {
				r, err := load(c, k.format, clients, length)
				if err != nil {
					return fmt.Errorf("%s, names of kind %s: %w", c.name, k.kind, err)
				}
				t.add(k.kind, c.name, r)
			}
		}
	}
	return t.print(os.Stdout, want)
}
