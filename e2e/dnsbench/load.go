package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// names is how many names of a kind are asked for.
const names = 100

// answerLimit is how long an answer may take before it counts as lost.
const answerLimit = 2 * time.Second

// result is one run: queries a second, the 99th percentile of their latency, and what one costs the server of a processor.
type result struct {
	rate     float64
	p99, cpu time.Duration
}

// load asks a server with many clients for a while.
func load(c contender, format string, clients int, length time.Duration) (result, error) {
	packets, err := questions(format)
	if err != nil {
		return result{}, err
	}
	all := make([][]time.Duration, clients)
	failed := make([]error, clients)
	before, err := cpuOf(c.pid)
	if err != nil {
		return result{}, err
	}
	began := time.Now()
	var done sync.WaitGroup
	for i := range clients {
		done.Go(func() { all[i], failed[i] = ask(c.addr, packets, i, began.Add(length)) })
	}
	done.Wait()
	took := time.Since(began)
	after, err := cpuOf(c.pid)
	if err := errors.Join(append(failed, err)...); err != nil {
		return result{}, err
	}
	latencies := slices.Concat(all...)
	slices.Sort(latencies)
	if len(latencies) == 0 {
		return result{}, errors.New("no question was answered")
	}
	n := len(latencies)
	return result{rate: float64(n) / took.Seconds(), p99: latencies[n*99/100], cpu: (after - before) / time.Duration(n)}, nil
}

func questions(format string) ([][]byte, error) {
	var all [][]byte
	for i := range names {
		packet, err := new(dns.Msg).SetQuestion(fmt.Sprintf(format, i), dns.TypeA).Pack()
		if err != nil {
			return nil, err
		}
		all = append(all, packet)
	}
	return all, nil
}

// ask is one client: it asks the next question when it has the answer.
func ask(addr netip.AddrPort, packets [][]byte, offset int, until time.Time) ([]time.Duration, error) {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	latencies := make([]time.Duration, 0, 1<<16)
	var question, answer [512]byte
	for i := offset; ; i++ {
		began := time.Now()
		if began.After(until) {
			return latencies, nil
		}
		n := copy(question[:], packets[i%len(packets)])
		binary.BigEndian.PutUint16(question[:], uint16(i))
		if _, err := c.Write(question[:n]); err != nil {
			return nil, err
		}
		if i%64 == offset%64 {
			_ = c.SetReadDeadline(began.Add(answerLimit))
		}
		n, err := c.Read(answer[:])
		switch {
		case err != nil:
			return nil, fmt.Errorf("question %d: %w", i, err)
		case n < 12 || binary.BigEndian.Uint16(answer[:]) != uint16(i) || answer[7] != 1 || answer[3]&15 != 0:
			return nil, fmt.Errorf("question %d was answered %x", i, answer[:n])
		}
		latencies = append(latencies, time.Since(began))
	}
}
